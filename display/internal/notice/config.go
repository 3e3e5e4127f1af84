package notice

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/pialert/pialert/pkg/config"
)

// Config says who is notified of what.
type Config struct {
	// Channels are the ways by which notices go, each by one service.
	Channels []ChannelConfig `yaml:"channels"`
	// Rules say who is notified of what.
	Rules []RuleConfig `yaml:"rules"`
	// AtMost is the bound of each rule's messages, such as "1 per 10m". What is held back is counted in
	// the rule's next message.
	AtMost Rate `yaml:"at_most"`
	// Quiet lists the times of day at which nothing is sent.
	Quiet []Quiet `yaml:"quiet"`
	// Keep is for how long a message that cannot be delivered is tried again.
	Keep config.Duration `yaml:"keep"`
	// Daily is the most messages that a channel gets in a day, whatever happens.
	Daily int `yaml:"daily"`
	// Link is the address of the page, which messages name; empty names none.
	Link string `yaml:"link"`
}

// ChannelConfig is one way by which notices go: a name, and one of the services.
type ChannelConfig struct {
	// Name is what rules and commands call the channel.
	Name string `yaml:"name"`
	// Telegram is the chat of a Telegram bot: chat, token_file, url.
	Telegram *Telegram `yaml:"telegram,omitempty"`
	// SMTP is mail: server, tls, from, to, user, password_file.
	SMTP *SMTP `yaml:"smtp,omitempty"`
	// Ntfy is the topic of an ntfy server: url, token_file.
	Ntfy *Ntfy `yaml:"ntfy,omitempty"`
	// Webhook is a URL that JSON is posted to: url, secret_file.
	Webhook *Webhook `yaml:"webhook,omitempty"`
}

// Telegram says which bot tells which chat.
type Telegram struct {
	// Chat is the chat's number, or @name of a channel.
	Chat string `yaml:"chat"`
	// TokenFile is the file that holds the bot's token.
	TokenFile string `yaml:"token_file"`
	// URL of the Bot API, where Telegram's own cannot be reached.
	URL string `yaml:"url"`
}

// SMTP says by which server mail goes, from whom and to whom.
type SMTP struct {
	// Server is the mail server, as host:port.
	Server string `yaml:"server"`
	// TLS is starttls (the default), implicit or none.
	TLS string `yaml:"tls"`
	// From is the sender's address.
	From string `yaml:"from"`
	// To lists the recipients.
	To []string `yaml:"to"`
	// User logs in to the server; empty does not.
	User string `yaml:"user"`
	// PasswordFile is the file that holds the user's password.
	PasswordFile string `yaml:"password_file"`
}

// Ntfy says to which topic notices go.
type Ntfy struct {
	// URL of the topic, such as https://ntfy.example.org/attacks.
	URL string `yaml:"url"`
	// TokenFile is the file that holds an access token; empty where none is needed.
	TokenFile string `yaml:"token_file"`
}

// Webhook says where notices are posted.
type Webhook struct {
	// URL that is posted to.
	URL string `yaml:"url"`
	// SecretFile is the file that holds the secret to sign with; empty signs nothing.
	SecretFile string `yaml:"secret_file"`
}

// RuleConfig says who is notified of what: either when something happens, or a digest.
type RuleConfig struct {
	// To lists channels by name.
	To []string `yaml:"to"`
	// When is what is sent as it happens: kinds, families, agents, severity, source, first, attempts
	// with within and by, silent, dropped or failed.
	When *When `yaml:"when,omitempty"`
	// Digest is the time of one message about the day: at, days, empty.
	Digest *Digest `yaml:"digest,omitempty"`
}

// When says what is sent. Kinds, families, agents, severity, source and first choose events; with
// attempts and within a notice is sent once their number is reached; silent, dropped and failed stand alone.
type When struct {
	// Kinds lists kinds such as ssh_accepted; empty means all.
	Kinds []string `yaml:"kinds"`
	// Families lists ssh, wordpress and other; empty means all.
	Families []string `yaml:"families"`
	// Agents lists agents by name; empty means all.
	Agents []string `yaml:"agents"`
	// Severity is the least that matters: info, low, medium or high.
	Severity string `yaml:"severity"`
	// Source lists addresses and networks; empty means all.
	Source []string `yaml:"source"`
	// First takes only the first success of a source network.
	First bool `yaml:"first"`
	// Attempts is the number within the span from which on a rise is sent.
	Attempts uint64 `yaml:"attempts"`
	// Within is that span.
	Within config.Duration `yaml:"within"`
	// By counts apart what differs by lamp, agent, network or kind; empty counts all together.
	By string `yaml:"by"`
	// Silent is for how long an agent, a log or the hardware says nothing before that is sent; so
	// is that it is back.
	Silent config.Duration `yaml:"silent"`
	// Logs lists logs by name, such as /var/log/auth.log, or * for all: with silent, what is sent is
	// that no line of them was read. One that cannot be read is reported without it.
	Logs []string `yaml:"logs"`
	// Dropped tells of events that an agent had to drop.
	Dropped bool `yaml:"dropped"`
	// Failed tells of a channel that has failed for an hour. Without any such rule all other
	// channels tell it.
	Failed bool `yaml:"failed"`
}

// Digest says when a span is sent in one message.
type Digest struct {
	// At is the time of day, such as "07:30", in the display's zone.
	At Clock `yaml:"at"`
	// Days lists mon, tue, wed, thu, fri, sat and sun; empty means every day.
	Days []string `yaml:"days"`
	// Empty sends a line also when nothing happened.
	Empty bool `yaml:"empty"`
}

// Quiet is a time of day at which nothing is sent.
type Quiet struct {
	// From is when it begins.
	From Clock `yaml:"from"`
	// To is when it ends, if need be on the next day.
	To Clock `yaml:"to"`
	// But is the severity that is sent all the same; empty keeps everything back.
	But string `yaml:"but"`
}

// Defaults returns the configuration of a display that tells nobody.
func Defaults() Config {
	return Config{AtMost: Rate{1, 10 * time.Minute}, Keep: config.Duration(72 * time.Hour), Daily: 100}
}

// Rate is a number per span, which a configuration writes as "1 per 10m".
type Rate struct {
	Most int
	Per  time.Duration
}

// ParseRate accepts a number above 0, "per" and a time span above 0.
func ParseRate(text string) (Rate, error) {
	number, span, ok := strings.Cut(text, " per ")
	n, err := strconv.Atoi(strings.TrimSpace(number))
	per, spanErr := config.ParseDuration(strings.TrimSpace(span))
	if !ok || err != nil || spanErr != nil || n < 1 || n > 1000 || per < config.Duration(time.Second) {
		return Rate{}, fmt.Errorf(`%q is no bound: write it as "1 per 10m"`, text)
	}
	return Rate{n, time.Duration(per)}, nil
}

// UnmarshalYAML reads what [ParseRate] accepts.
func (r *Rate) UnmarshalYAML(node ast.Node) error {
	return config.Scalar(node, func(text string) (err error) {
		*r, err = ParseRate(text)
		return err
	})
}

// MarshalYAML writes what [ParseRate] reads.
func (r Rate) MarshalYAML() ([]byte, error) { return []byte(r.String()), nil }

func (r Rate) String() string { return fmt.Sprintf("%d per %s", r.Most, config.Duration(r.Per)) }

// Clock is a time of day in minutes since midnight, which a configuration writes as "07:30".
type Clock int

// ParseClock accepts "00:00" to "23:59".
func ParseClock(text string) (Clock, error) {
	at, err := time.Parse("15:04", text)
	if err != nil {
		return 0, fmt.Errorf(`%q is no time of day: write it as "07:30"`, text)
	}
	return Clock(at.Hour()*60 + at.Minute()), nil
}

// UnmarshalYAML reads what [ParseClock] accepts.
func (c *Clock) UnmarshalYAML(node ast.Node) error {
	return config.Scalar(node, func(text string) (err error) {
		*c, err = ParseClock(text)
		return err
	})
}

// MarshalYAML writes what [ParseClock] reads.
func (c Clock) MarshalYAML() ([]byte, error) { return []byte(strconv.Quote(c.String())), nil }

func (c Clock) String() string { return fmt.Sprintf("%02d:%02d", c/60, c%60) }

// on returns the clock's moment on the day of t, in t's zone. On a day that has it twice it is the
// first, on one that lacks it the moment as long after midnight.
func (c Clock) on(t time.Time) time.Time {
	year, month, day := t.Date()
	return time.Date(year, month, day, int(c)/60, int(c)%60, 0, 0, t.Location())
}
