package animate

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pialert/pialert/pkg/config"
)

// Config is how the device looks. [Defaults] has a value for every field.
type Config struct {
	// Brightness is that of the day, outside of the hours of night.
	Brightness Brightness `yaml:"brightness"`
	// Night lists hours of the day with another brightness; the first that has the time counts.
	Night []Hours `yaml:"night"`
	// Zone is the time zone of the clock and of the nights, such as "Europe/Berlin". Empty is
	// the system's.
	Zone string `yaml:"zone"`
	// Idle is what the digits show when nothing happens: "last" for the total of the lamp that
	// lit last, "total" for the grand total, "clock", or "off".
	Idle string `yaml:"idle"`
	// Hold is how long a total stays before the digits are idle.
	Hold config.Duration `yaml:"hold"`
	// Exit is the picture that stays when the program ends.
	Exit Picture `yaml:"exit"`
}

// Brightness is how bright the LEDs, 0 to [MaxLights], and the digits, 0 to [MaxDigits], are.
type Brightness struct {
	// Lights is that of the LEDs, 0 (off) to [MaxLights].
	Lights int `yaml:"lights"`
	// Digits is that of the digits, 0 (off) to [MaxDigits].
	Digits int `yaml:"digits"`
}

// Hours is a part of every day. It may go over midnight.
type Hours struct {
	// From is when it begins, such as "22:00".
	From string `yaml:"from"`
	// To is when it ends, such as "06:30".
	To         string `yaml:"to"`
	Brightness `yaml:",inline"`
}

// Picture is a still one.
type Picture struct {
	// Lights lists up to eight colours "#rrggbb" from LED 0; "" is dark.
	Lights []string `yaml:"lights"`
	// Digits is up to four characters that seven segments can show.
	Digits string `yaml:"digits"`
}

// Defaults returns the configuration of a device on a desk. The digits' 3 of 8 is the first
// PiAlert's 2 of 7, which counted from 0.
func Defaults() Config {
	return Config{
		Brightness: Brightness{Lights: 7, Digits: 3},
		Idle:       "last",
		Hold:       config.Duration(15 * time.Second),
	}
}

// What the digits show when nothing happens, as [Config.Idle] calls it.
const (
	idleLast  = "last"
	idleTotal = "total"
	idleClock = "clock"
	idleOff   = "off"
)

// maxNights bounds [Config.Night].
const maxNights = 24

// Validate returns every mistake as joined [config.FieldError], with paths below the
// configuration's own key.
func (c *Config) Validate() error {
	_, err := c.compile()
	return err
}

// Location returns the configured time zone.
func (c *Config) Location() (*time.Location, error) {
	if c.Zone == "" {
		return time.Local, nil
	}
	return time.LoadLocation(c.Zone)
}

// settings is a Config that was understood.
type settings struct {
	day    Brightness
	nights []night
	zone   *time.Location
	idle   string
	linger time.Duration
	exit   Frame
}

// night is Hours in minutes of the day.
type night struct {
	from, to int
	Brightness
}

func (c *Config) compile() (settings, error) {
	var problems []error
	refuse := func(path string, value any, problem string) {
		problems = append(problems, &config.FieldError{Path: path, Value: value, Problem: problem})
	}
	judge := func(path string, b Brightness) {
		if b.Lights < 0 || b.Lights > MaxLights {
			refuse(path+"lights", b.Lights, fmt.Sprintf("use 0 (off) to %d", MaxLights))
		}
		if b.Digits < 0 || b.Digits > MaxDigits {
			refuse(path+"digits", b.Digits, fmt.Sprintf("use 0 (off) to %d", MaxDigits))
		}
	}
	s := settings{day: c.Brightness, idle: c.Idle, linger: time.Duration(c.Hold)}
	judge("brightness.", c.Brightness)

	if len(c.Night) > maxNights {
		refuse("night", len(c.Night), fmt.Sprintf("give at most %d", maxNights))
	}
	for i, hours := range c.Night {
		path := fmt.Sprintf("night[%d].", i)
		from, fromErr := minuteOfDay(hours.From)
		if fromErr != nil {
			refuse(path+"from", hours.From, fromErr.Error())
		}
		to, toErr := minuteOfDay(hours.To)
		if toErr != nil {
			refuse(path+"to", hours.To, toErr.Error())
		}
		if fromErr == nil && toErr == nil && from == to {
			refuse(path+"to", hours.To, "it ends when it begins; leave the night out, or set brightness")
		}
		judge(path, hours.Brightness)
		s.nights = append(s.nights, night{from, to, hours.Brightness})
	}

	zone, err := c.Location()
	if err != nil {
		refuse("zone", c.Zone, "use a name such as Europe/Berlin (the system's zones are in the package tzdata)")
	}
	s.zone = zone

	switch c.Idle {
	case idleLast, idleTotal, idleClock, idleOff:
	default:
		refuse("idle", c.Idle, "use last, total, clock or off")
	}
	if s.linger < 0 {
		refuse("hold", c.Hold, "use 0s or more")
	}

	s.exit, err = c.Exit.frame(c.Brightness)
	if err != nil {
		problems = append(problems, err)
	}
	return s, errors.Join(problems...)
}

// frame draws the picture.
func (p *Picture) frame(b Brightness) (f Frame, err error) {
	if len(p.Lights) > Pixels {
		return f, &config.FieldError{Path: "exit.lights", Value: len(p.Lights), Problem: fmt.Sprintf("there are %d LEDs", Pixels)}
	}
	for i, text := range p.Lights {
		color, err := parseRGB(text)
		if err != nil {
			return f, &config.FieldError{Path: fmt.Sprintf("exit.lights[%d]", i), Value: text, Problem: err.Error()}
		}
		f.Pixels[i] = light{r: color.R, g: color.G, b: color.B}.pixel(uint8(b.Lights))
	}
	cells, ok := Word(p.Digits)
	if !ok {
		return f, &config.FieldError{Path: "exit.digits", Value: p.Digits,
			Problem: "use up to four digits, letters or hyphens that seven segments can show"}
	}
	if p.Digits != "" && b.Digits > 0 {
		f.Digits = Digits{Cells: cells, Brightness: uint8(b.Digits)}
	}
	return f, nil
}

func parseRGB(text string) (RGB, error) {
	if text == "" {
		return RGB{}, nil
	}
	digits, ok := strings.CutPrefix(text, "#")
	n, err := strconv.ParseUint(digits, 16, 32)
	if !ok || len(digits) != 6 || err != nil {
		return RGB{}, errors.New(`use "#rrggbb", or "" for dark`)
	}
	return RGB{uint8(n >> 16), uint8(n >> 8), uint8(n)}, nil
}

func minuteOfDay(text string) (int, error) {
	t, err := time.Parse("15:04", text)
	if err != nil {
		return 0, errors.New(`use a time of day such as "22:00"`)
	}
	return t.Hour()*60 + t.Minute(), nil
}

// brightness returns that of a time of day.
func (s *settings) brightness(now time.Time) Brightness {
	if len(s.nights) == 0 {
		return s.day
	}
	hour, minute, _ := now.In(s.zone).Clock()
	for _, n := range s.nights {
		if n.has(hour*60 + minute) {
			return n.Brightness
		}
	}
	return s.day
}

func (n *night) has(minute int) bool {
	if n.from < n.to {
		return n.from <= minute && minute < n.to
	}
	return n.from <= minute || minute < n.to
}
