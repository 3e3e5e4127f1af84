package main

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pialert/pialert/display/internal/animate"
	"github.com/pialert/pialert/display/internal/lamp"
	"github.com/pialert/pialert/display/internal/notice"
	"github.com/pialert/pialert/display/internal/pins"
	"github.com/pialert/pialert/pkg/broker"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/config"
	"github.com/pialert/pialert/pkg/link"
	"github.com/pialert/pialert/pkg/pairing"
)

const (
	program       = "pialert-display"
	defaultConfig = "/etc/pialert/display.yaml"
)

// settings is where the configuration comes from.
type settings = cli.Settings[Config]

// Config is the display's configuration, /etc/pialert/display.yaml.
type Config struct {
	// Name that this display goes by on the agents: small letters, digits, dots and hyphens. It is
	// the host's name unless it is given.
	Name string `yaml:"name"`
	// State is the folder of the keys, the peers and the history.
	State string `yaml:"state"`
	// Control is the Unix socket on which commands such as status reach the running display.
	Control string `yaml:"control"`
	// Metrics is the address that serves Prometheus' /metrics and /healthz; empty serves neither.
	Metrics string `yaml:"metrics"`
	// Web says where the page is served, and to whom.
	Web Web `yaml:"web"`
	// Geo says where addresses are looked up, for the page.
	Geo Geo `yaml:"geo"`
	// Log says what the display logs to standard error.
	Log cli.Log `yaml:"log"`
	// Driver is what draws: blinkt (the hardware), terminal, or none.
	Driver string `yaml:"driver"`
	// Link says how display and agents come together.
	Link Link `yaml:"link"`
	// Lamps lists what is counted and in which colour.
	Lamps []lamp.Config `yaml:"lamps"`
	// Look says how lights and digits look.
	Look animate.Config `yaml:"look"`
	// Pins is how pins are reached: auto takes what fits the board, rpio writes registers (Pi 0 to
	// 4), cdev uses the GPIO character device (Pi 5).
	Pins pins.Way `yaml:"pins"`
	// Wiring says what is on which pin, by BCM numbers.
	Wiring Wiring `yaml:"wiring"`
	// History is how much is kept of single events; totals are kept for ever.
	History History `yaml:"history"`
	// Notices says who is notified of what, by Telegram, mail, ntfy or webhook.
	Notices notice.Config `yaml:"notices"`
	// Lost is how long an agent may be silent before its lamps breathe white.
	Lost config.Duration `yaml:"lost"`
}

// Link says how a display and its agents come together.
type Link struct {
	// Dial says who opens connections: display (the default: it dials the agents that it
	// joined), agent (the display listens), ssh (it logs in to the agents' servers and runs
	// pialert-agent relay there), or nats (both dial a NATS server).
	Dial string `yaml:"dial"`
	// Listen is the TCP address that agents dial, for dial: agent.
	Listen string `yaml:"listen"`
	// Address is what agents can reach this display at, for pair's token, as host or host:port.
	Address string `yaml:"address"`
	// SSH is how the display logs in to servers whose address is ssh://USER@HOST.
	SSH SSH `yaml:"ssh"`
	// DNS is the provider of a dynamic name to keep up to date, for dial: agent behind a changing
	// address.
	DNS DNS `yaml:"dns"`
	// NATS says where the NATS server is, for dial: nats.
	NATS NATS `yaml:"nats"`
}

// NATS says where the NATS server is, and which agents this display takes of it.
type NATS struct {
	broker.Config `yaml:",inline"`
	// Agents are patterns of the names of the agents that this display takes, such as web-*, where several
	// displays split a fleet between them; none takes all that it is paired with.
	Agents []string `yaml:"agents"`
	// Replicas is how many servers of a cluster keep each event: 1, 3 or 5. It concerns a stream
	// that is not there yet.
	Replicas int `yaml:"replicas"`
	// MaxBytes is the most that the stream may hold; when it is full, events stay with the agents. Zero leaves a
	// stream as it is; one that is not there yet gets 1GiB.
	MaxBytes config.Size `yaml:"max_bytes"`
}

// validate returns every field that cannot be used as joined [config.FieldError].
func (n NATS) validate() error {
	problems := []error{n.Check("link.nats")}
	refuse := func(field string, value any, problem string) {
		problems = append(problems, &config.FieldError{Path: "link.nats." + field, Value: value, Problem: problem})
	}
	for i, pattern := range n.Agents {
		if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
			refuse(fmt.Sprintf("agents[%d]", i), pattern, "give a name or a pattern such as web-*")
		}
	}
	if n.Replicas != 1 && n.Replicas != 3 && n.Replicas != 5 {
		refuse("replicas", n.Replicas, "use 1, 3 or 5")
	}
	if n.MaxBytes != 0 && n.MaxBytes < 1<<20 {
		refuse("max_bytes", n.MaxBytes, "give at least 1MiB, or 0")
	}
	return errors.Join(problems...)
}

// SSH is how the display logs in to servers.
type SSH struct {
	// Options are given to ssh before the destination, such as ["-i", "/var/lib/pialert/display/ssh.key"].
	Options []string `yaml:"options"`
	// Command is run there; empty is pialert-agent relay. A command= in authorized_keys overrides it.
	Command string `yaml:"command"`
}

// DNS is a dynamic DNS provider that is told when the public address changes.
type DNS struct {
	// Update is the URL to call when the public address has changed, with https; {ip} in it stands for
	// the address. It holds the secret that owns the name, so it is never shown. Empty calls nothing.
	Update config.Secret `yaml:"update"`
	// UpdateFile is a file that holds that URL instead, which not everybody can read; a name without
	// a folder is that of a credential that systemd hands over.
	UpdateFile string `yaml:"update_file"`
	// Check is a URL that answers with the public address as text.
	Check string `yaml:"check"`
	// Every is how often the address is looked at.
	Every config.Duration `yaml:"every"`
}

// Wiring says what is on which pin, by BCM numbers.
type Wiring struct {
	// BlinktData is the Blinkt!'s data pin.
	BlinktData int `yaml:"blinkt_data"`
	// BlinktClock is the Blinkt!'s clock pin.
	BlinktClock int `yaml:"blinkt_clock"`
	// DigitsClock is the TM1637's clock pin, CLK.
	DigitsClock int `yaml:"digits_clock"`
	// DigitsData is the TM1637's data pin, DIO.
	DigitsData int `yaml:"digits_data"`
	// ButtonShow is the pin of the button that cycles the lamps; it connects it to ground. -1 is
	// no button.
	ButtonShow int `yaml:"button_show"`
	// ButtonLights is the pin of the button that switches the lights, and the Pi off when it is
	// held; it connects it to ground. -1 is no button.
	ButtonLights int `yaml:"button_lights"`
}

// History bounds what is kept of single events.
type History struct {
	// MaxAge is how long an event is kept.
	MaxAge config.Duration `yaml:"max_age"`
	// Addresses is how long the addresses of events are kept whole; afterwards only their networks
	// are, a /24 or a /48 of IPv6. 0s never stores a whole address.
	Addresses config.Duration `yaml:"addresses"`
	// MaxBytes is the most that the file may hold; above it the oldest events go.
	MaxBytes config.Size `yaml:"max_bytes"`
	// Interval is the least time between two commits under load; memory cards wear with each.
	Interval config.Duration `yaml:"interval"`
}

// The drivers.
const (
	driverBlinkt   = "blinkt"
	driverTerminal = "terminal"
	driverNone     = "none"
)

var drivers = []string{driverBlinkt, driverTerminal, driverNone}

// defaults is the configuration of a display without one. The pins are the original's.
func defaults() Config {
	host, _ := os.Hostname()
	return Config{
		Name:    pairing.NameFor(host),
		State:   "/var/lib/pialert/display",
		Control: "/run/pialert-display/control.sock",
		Metrics: "127.0.0.1:9478",
		Web:     Web{Listen: "127.0.0.1:9480"},
		Log:     cli.Log{Format: "text"},
		Driver:  driverBlinkt,
		Link:    Link{Dial: link.DialDisplay, Listen: ":" + link.DefaultPort, DNS: DNS{Every: config.Duration(5 * time.Minute)}, NATS: NATS{Config: broker.Defaults(), Replicas: 1}},
		Lamps:   lamp.Defaults(),
		Look:    animate.Defaults(),
		Pins:    pins.Auto,
		Wiring: Wiring{
			BlinktData: 23, BlinktClock: 24, DigitsClock: 5, DigitsData: 4, ButtonShow: -1, ButtonLights: -1,
		},
		History: History{MaxAge: config.Duration(90 * 24 * time.Hour), Addresses: config.Duration(90 * 24 * time.Hour), MaxBytes: 256 << 20, Interval: config.Duration(time.Second)},
		Notices: notice.Defaults(),
		Lost:    config.Duration(2 * time.Minute),
	}
}

// Running is where commands reach the program that runs with this configuration.
func (c Config) Running() cli.Running {
	return cli.Running{Program: program, Socket: c.Control, State: c.State}
}

// Validate returns every field that cannot be used as joined [config.FieldError].
func (c *Config) Validate() error {
	var problems []error
	refuse := func(path string, value any, problem string) {
		problems = append(problems, &config.FieldError{Path: path, Value: value, Problem: problem})
	}
	problems = append(problems, cli.Common{Name: c.Name, State: c.State, Control: c.Control, Metrics: c.Metrics, Log: c.Log}.Validate())
	problems = append(problems, c.Web.validate())
	if !slices.Contains([]pins.Way{pins.Auto, pins.RPIO, pins.CDev}, c.Pins) {
		refuse("pins", c.Pins, "use auto, rpio or cdev")
	}
	if !slices.Contains(drivers, c.Driver) {
		refuse("driver", c.Driver, "use "+strings.Join(drivers, ", "))
	}
	switch c.Link.Dial {
	case link.DialDisplay, link.DialSSH:
	case link.DialAgent:
		if !config.Listenable(c.Link.Listen) {
			refuse("link.listen", c.Link.Listen, "give an address such as :7483")
		}
	case broker.Dial:
		problems = append(problems, c.Link.NATS.validate())
	default:
		refuse("link.dial", c.Link.Dial, "use display, agent, ssh or nats")
	}
	if updater, err := c.Link.updater(nil); err != nil {
		refuse("link.dns.update_file", c.Link.DNS.UpdateFile, err.Error())
	} else if updater != nil {
		if err := updater.Check(); err != nil {
			refuse("link.dns", "(not shown: it holds a secret)", err.Error())
		}
	}
	problems = append(problems, lamp.Validate(c.Lamps), below("look", c.Look.Validate()), c.Wiring.validate(), c.Notices.Validate())
	if c.History.MaxBytes < 1<<20 {
		refuse("history.max_bytes", c.History.MaxBytes, "give at least 1MiB")
	}
	if c.Lost < config.Duration(30*time.Second) {
		refuse("lost", c.Lost, "give at least 30s: agents speak every 10s")
	}
	return errors.Join(problems...)
}

// below puts a key before the paths of the errors of what stands under it.
func below(key string, err error) error {
	var all []error
	for err := range config.Each(err) {
		var field *config.FieldError
		if errors.As(err, &field) {
			err = &config.FieldError{Path: key + "." + field.Path, Value: field.Value, Problem: field.Problem}
		}
		all = append(all, err)
	}
	return errors.Join(all...)
}

func (w *Wiring) validate() error {
	var problems []error
	holder := map[int]string{}
	check := func(field string, pin int, optional bool) {
		path := "wiring." + field
		if pin == -1 && optional {
			return
		}
		if pin < 0 || pin > 27 {
			problems = append(problems, &config.FieldError{Path: path, Value: pin, Problem: "use a BCM number of the header, 0 to 27"})
			return
		}
		if other, taken := holder[pin]; taken {
			problems = append(problems, &config.FieldError{Path: path, Value: pin, Problem: fmt.Sprintf("%s uses this pin already", other)})
		}
		holder[pin] = path
	}
	check("blinkt_data", w.BlinktData, false)
	check("blinkt_clock", w.BlinktClock, false)
	check("digits_clock", w.DigitsClock, false)
	check("digits_data", w.DigitsData, false)
	check("button_show", w.ButtonShow, true)
	check("button_lights", w.ButtonLights, true)
	return errors.Join(problems...)
}

// fleetDir is where the fleet's keys and invitations are.
func fleetDir(c Config) string { return filepath.Join(c.State, "fleet") }
