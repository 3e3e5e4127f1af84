package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/pialert/pialert/agent/internal/detect"
	"github.com/pialert/pialert/agent/internal/detect/episode"
	"github.com/pialert/pialert/agent/internal/ignore"
	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/pkg/broker"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/config"
	"github.com/pialert/pialert/pkg/link"
	"github.com/pialert/pialert/pkg/pairing"
)

const (
	program       = "pialert-agent"
	defaultConfig = "/etc/pialert/agent.yaml"
)

// settings is where the configuration comes from.
type settings = cli.Settings[Config]

// Config is the agent's configuration, /etc/pialert/agent.yaml.
type Config struct {
	// Name that this server goes by on the displays: small letters, digits, dots and hyphens. It
	// is the host's name unless it is given.
	Name string `yaml:"name"`
	// State is the folder of the keys, the peers, the reading positions and the spool.
	State string `yaml:"state"`
	// Control is the Unix socket on which commands such as status reach the running agent.
	Control string `yaml:"control"`
	// Metrics is the address that serves Prometheus' /metrics and /healthz; empty serves neither.
	Metrics string `yaml:"metrics"`
	// Log says what the agent logs to standard error.
	Log cli.Log `yaml:"log"`
	// Link says how agent and displays come together.
	Link Link `yaml:"link"`
	// Logs lists what is followed.
	Logs []LogSource `yaml:"logs"`
	// Syslog lists where other machines send their lines.
	Syslog []Syslog `yaml:"syslog"`
	// Rules is the folder of your own rules, *.yaml and *.yml; it need not exist.
	Rules string `yaml:"rules"`
	// Ignore lists whose attempts are counted as ignored and otherwise dropped: addresses, networks, host names, which
	// are looked up every minute, and files with one of these on each line.
	Ignore []string `yaml:"ignore"`
	// IgnoreSelf ignores the addresses of this machine, too.
	IgnoreSelf bool `yaml:"ignore_self"`
	// Flood says how many web requests of one method are too many.
	Flood Flood `yaml:"flood"`
	// Scan says how many different paths that are not there are too many.
	Scan Scan `yaml:"scan"`
	// Spray says how many different user names for ssh are too many.
	Spray Spray `yaml:"spray"`
	// Distributed says how many addresses that try one user name for ssh are too many.
	Distributed Distributed `yaml:"distributed"`
	// Spool is how much is kept for displays that are away.
	Spool Spool `yaml:"spool"`
	// Report is where programs of this machine, such as fail2ban, say what they did.
	Report Reports `yaml:"report"`
	// Intake is where programs elsewhere report over HTTP.
	Intake Intake `yaml:"intake"`
	// Responses says who is banned, and how.
	Responses Responses `yaml:"responses"`
}

// Link says how an agent and its displays come together.
type Link struct {
	// Dial says who opens connections: display (the default: the agent listens), agent (the
	// agent dials the displays that it joined), ssh (the display logs in by SSH and runs
	// pialert-agent relay; the agent listens only on the relay socket), or nats (both dial a NATS
	// server).
	Dial string `yaml:"dial"`
	// Listen is the TCP address that displays dial.
	Listen string `yaml:"listen"`
	// Address is what displays can reach this server at, for pair's token, as host or host:port.
	// Empty lets pair look at the network interfaces.
	Address string `yaml:"address"`
	// Relay is the Unix socket that pialert-agent relay joins to an SSH login; empty serves none.
	Relay string `yaml:"relay"`
	// NATS says where the NATS server is, for dial: nats.
	NATS NATS `yaml:"nats"`
}

// NATS says where the NATS server is, and how far it is trusted to keep events.
type NATS struct {
	broker.Config `yaml:",inline"`
	// Acknowledged says when the agent forgets an event: shown (the default: when every display has committed it),
	// or stored (when the NATS server has it, so that a display may be away for longer than the spool
	// holds; the server's disks are trusted to keep it).
	Acknowledged string `yaml:"acknowledged"`
}

// When an agent forgets an event that it delivers by NATS.
const (
	acknowledgedShown  = "shown"
	acknowledgedStored = "stored"
)

// LogSource is a log to follow.
type LogSource struct {
	// Path is a file or a pattern such as /var/log/apache2/*.log; or journal for systemd's
	// journal; or auto for the authentication and mail logs wherever this system keeps them. What
	// does not exist is waited for. Of a pattern's files the 1024 that changed last are followed.
	Path string `yaml:"path"`
	// Type is the form of the lines: auto, or nothing, recognises it; syslog, sshd (what sshd -E
	// writes), access or error insist.
	Type string `yaml:"type"`
	// Format is Apache's own LogFormat string, for an access log (type: access) in a format of
	// your own.
	Format string `yaml:"format"`
	// Hosts is header for a file that a collector writes for several machines, such as rsyslog's of
	// remote ones: events then say which machine the line names. Nothing is for this machine's own.
	Hosts string `yaml:"hosts"`
	// Start says where a log that was never read before begins: end, or beginning. Nothing is end.
	Start string `yaml:"start"`

	forgeable bool // anybody can forge its lines: see [Syslog.Respond]
}

// Spool bounds what is kept until every display has it.
type Spool struct {
	// MaxBytes is the most that is kept on disk; above it the oldest events are dropped, and that
	// is counted and reported. The newest file of the spool stays, of up to 4 MiB or, if that is more, four times what
	// detection remembers.
	MaxBytes config.Size `yaml:"max_bytes"`
	// MaxAge is how long an event is kept that a display did not fetch.
	MaxAge config.Duration `yaml:"max_age"`
}

const (
	sourceAuto    = "auto"
	sourceJournal = "journal"
)

// defaults is the configuration of an agent without one.
func defaults() Config {
	host, _ := os.Hostname()
	return Config{
		Name:    pairing.NameFor(host),
		State:   "/var/lib/pialert/agent",
		Control: "/run/pialert-agent/control.sock",
		Metrics: "127.0.0.1:9477",
		Log:     cli.Log{Format: "text"},
		Link:    Link{Dial: link.DialDisplay, Listen: ":" + link.DefaultPort, Relay: "/run/pialert-agent/relay.sock", NATS: NATS{Config: broker.Defaults(), Acknowledged: acknowledgedShown}},
		Logs: []LogSource{
			{Path: sourceAuto},
			{Path: "/var/log/apache2/*.log"},
			{Path: "/var/log/httpd/*_log"},
			{Path: "/var/log/nginx/*.log"},
			{Path: "/var/log/caddy/*.log"},
			{Path: "/var/log/exim4/mainlog"},
			{Path: "/var/log/exim/main.log"},
			{Path: "/var/log/vsftpd.log"},
			{Path: "/var/log/proftpd/proftpd.log"},
			{Path: "/var/log/fail2ban.log"},
		},
		Rules: "/etc/pialert/rules.d",

		IgnoreSelf:  true,
		Flood:       Flood{int(episode.DefaultLimits.MaxRequests), config.Duration(episode.DefaultLimits.Window)},
		Scan:        Scan{episode.DefaultSpreads.Scans.Distinct, config.Duration(episode.DefaultSpreads.Scans.Window)},
		Spray:       Spray{episode.DefaultSpreads.Sprays.Distinct, config.Duration(episode.DefaultSpreads.Sprays.Window)},
		Distributed: Distributed{episode.DefaultSpreads.Distributed.Distinct, config.Duration(episode.DefaultSpreads.Distributed.Window)},
		Spool:       Spool{MaxBytes: 256 << 20, MaxAge: config.Duration(30 * 24 * time.Hour)},
		Report:      defaultReports(),
		Intake:      defaultIntake(),
		Responses:   defaultResponses(),
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
	switch c.Link.Dial {
	case link.DialDisplay:
		if !config.Listenable(c.Link.Listen) {
			refuse("link.listen", c.Link.Listen, "give an address such as :7483 or 192.0.2.1:7483")
		}
	case link.DialSSH:
		if c.Link.Relay == "" {
			refuse("link.relay", c.Link.Relay, "give the path of a Unix socket: dial: ssh needs it")
		}
	case link.DialAgent:
	case broker.Dial:
		problems = append(problems, c.Link.NATS.Check("link.nats"))
		if !slices.Contains([]string{acknowledgedShown, acknowledgedStored}, c.Link.NATS.Acknowledged) {
			refuse("link.nats.acknowledged", c.Link.NATS.Acknowledged, "use shown or stored")
		}
	default:
		refuse("link.dial", c.Link.Dial, "use display, agent, ssh or nats")
	}
	if len(c.Logs) == 0 && len(c.Syslog) == 0 {
		refuse("logs", "none", "give at least one log to follow, or a listener for syslog")
	}
	for i, source := range c.Logs {
		field := func(name string) string { return fmt.Sprintf("logs[%d].%s", i, name) }
		if p := source.Path; p != sourceAuto && p != sourceJournal && !filepath.IsAbs(p) {
			refuse(field("path"), p, "give the whole path of a file, a pattern such as /var/log/nginx/*.log, journal or auto")
		}
		if _, err := detect.NewSource(source.Path, rule.Type(source.Type), source.Format); err != nil {
			refuse(field("type"), source.Type, err.Error())
		}
		if source.Hosts != "" && source.Hosts != hostHeader {
			refuse(field("hosts"), source.Hosts, "use header, or leave it out")
		}
		if !slices.Contains([]string{"", "end", "beginning"}, source.Start) {
			refuse(field("start"), source.Start, "use end or beginning")
		}
	}
	listens := map[string]int{}
	for i := range c.Syslog {
		refuse := func(field string, value any, problem string) {
			refuse(fmt.Sprintf("syslog[%d].%s", i, field), value, problem)
		}
		c.Syslog[i].validate(refuse)
		if before, taken := listens[c.Syslog[i].Listen]; taken {
			refuse("listen", c.Syslog[i].Listen, fmt.Sprintf("syslog[%d] listens there already", before))
		}
		listens[c.Syslog[i].Listen] = i
	}
	c.Intake.validate(func(field string, value any, problem string) { refuse("intake."+field, value, problem) })
	for i, entry := range c.Ignore {
		if err := ignore.Check(entry); err != nil {
			refuse(fmt.Sprintf("ignore[%d]", i), entry, err.Error())
		}
	}
	problems = append(problems, c.Responses.validate())
	problems = append(problems, c.validateEpisodes())
	if c.Spool.MaxBytes < 1<<20 {
		refuse("spool.max_bytes", c.Spool.MaxBytes, "give at least 1MiB")
	}
	if c.Spool.MaxAge < config.Duration(time.Hour) {
		refuse("spool.max_age", c.Spool.MaxAge, "give at least 1h")
	}
	return errors.Join(problems...)
}

// ignored returns whose attempts are ignored, as far as that could be found out at once.
func (c *Config) ignored(logger *slog.Logger) (*ignore.List, error) {
	list, err := ignore.New(ignore.Options{Entries: c.Ignore, Self: c.IgnoreSelf, Logger: logger})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	list.Refresh(ctx)
	return list, nil
}

// Reports is where programs of this machine say what they did.
type Reports struct {
	// Socket is the Unix socket of pialert-agent report, in the folder of control if it does not begin with a
	// slash; empty serves none.
	Socket string `yaml:"socket"`
	// Group is the group whose members may report, beside root. Where there is no such group only root may.
	Group string `yaml:"group"`
}

func defaultReports() Reports {
	return Reports{Socket: "report/report.sock", Group: "pialert-report"}
}

// reportSocket is where the socket of reports is, empty if there is to be none. Agents that do not share their
// control socket share this one neither.
func (c Config) reportSocket() string {
	if path := c.Report.Socket; path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(c.Control), c.Report.Socket)
}
