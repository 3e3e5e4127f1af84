package attack

import (
	"net/netip"
	"time"
)

// details is the one table of the details. Its index is [Detail.Number].
var details = [...]detailType{
	1: of[SSH](),
	2: of[HTTP](),
	3: of[Flood](HTTPFlood),
	4: of[BanInfo](Ban, Unban),
	5: of[Local](),
	6: of[Service](),
	7: of[Episode](HTTPScan, SSHSpray, SSHDistributed),
	8: of[Accepted](),
	9: of[Count](Counter),
}

// SSH is the detail of SSHLogin and SSHProbe.
type SSH struct {
	Method      string // "password", "publickey", "keyboard-interactive/pam", ...; empty for a probe
	InvalidUser bool   // the daemon said that there is no such account
	Reason      string // what a probe did, such as "bad banner" or "no matching key exchange"
}

// Number implements [Detail].
func (SSH) Number() uint8 { return 1 }

func (d *SSH) fields(f Fields) {
	f.Text(1, "method", &d.Method, MaxWord)
	f.Flag(2, "invalid_user", &d.InvalidUser)
	f.Text(3, "reason", &d.Reason, MaxText)
}

// HTTP is the detail of the kinds that one web request causes.
type HTTP struct {
	Method    string // request method, as sent
	Target    string // request target as logged, before any decoding
	Status    uint16 // 0 if the log does not say
	UserAgent string
	Host      string // virtual host, if the log names it
}

// Number implements [Detail].
func (HTTP) Number() uint8 { return 2 }

func (d *HTTP) fields(f Fields) {
	f.Text(1, "method", &d.Method, MaxWord)
	f.Text(2, "target", &d.Target, MaxText)
	status := uint64(d.Status)
	f.Number(3, "status", &status, 999)
	d.Status = uint16(status)
	f.Text(4, "user_agent", &d.UserAgent, MaxText)
	f.Text(5, "host", &d.Host, MaxName)
}

// Flood is the detail of HTTPFlood. The counts of an episode's events add up to Requests of
// its last event.
type Flood struct {
	Phase    Phase
	Network  netip.Prefix // the whole of what floods: a single address, a /24 or a /64
	Method   string       // request method that floods
	Requests uint64       // requests of the episode so far, at most [MaxEpisode]
	Window   time.Duration
}

// Number implements [Detail].
func (Flood) Number() uint8 { return 3 }

func (d *Flood) fields(f Fields) {
	f.Phase(1, "phase", &d.Phase)
	f.Network(2, "network", &d.Network, true)
	f.Text(4, "method", &d.Method, MaxWord)
	f.Number(5, "requests", &d.Requests, MaxEpisode)
	f.Span(6, "window", &d.Window)
}

// BanInfo is the detail of Ban and Unban.
type BanInfo struct {
	Jail string // the list that the banning program names, such as fail2ban's jail
}

// Number implements [Detail].
func (BanInfo) Number() uint8 { return 4 }

func (d *BanInfo) fields(f Fields) { f.Text(1, "jail", &d.Jail, MaxWord) }

// Local is the detail of LocalAuth.
type Local struct {
	Service string // "sudo", "su", ...
	Target  string // the account that was to be become
	TTY     string
}

// Number implements [Detail].
func (Local) Number() uint8 { return 5 }

func (d *Local) fields(f Fields) {
	f.Text(1, "service", &d.Service, MaxWord)
	f.Text(2, "target", &d.Target, MaxUser)
	f.Text(3, "tty", &d.TTY, MaxWord)
}

// Service is the detail of the login kinds of mail, ftp, web application, router and VPN.
type Service struct {
	Name   string // the daemon, such as "dovecot"
	Reason string // why it refused, in its words
}

// Number implements [Detail].
func (Service) Number() uint8 { return 6 }

func (d *Service) fields(f Fields) {
	f.Text(1, "service", &d.Name, MaxWord)
	f.Text(2, "reason", &d.Reason, MaxText)
}

// Episode is the detail of HTTPScan, SSHSpray and SSHDistributed. What it is about was counted
// under kinds of its own, so it adds nothing to a total.
type Episode struct {
	Phase    Phase
	Network  netip.Prefix // where it comes from; invalid if from many networks
	Distinct uint64       // paths, user names or addresses that differ so far, at most [MaxEpisode]
	Attempts uint64       // attempts or requests of the episode so far, at most [MaxEpisode]
	Window   time.Duration
}

// Number implements [Detail].
func (Episode) Number() uint8 { return 7 }

func (d *Episode) fields(f Fields) {
	f.Phase(1, "phase", &d.Phase)
	f.Network(2, "network", &d.Network, false)
	f.Number(4, "distinct", &d.Distinct, MaxEpisode)
	f.Number(5, "attempts", &d.Attempts, MaxEpisode)
	f.Span(6, "window", &d.Window)
}

// Accepted is the detail of SSHAccepted and LoginAccepted.
type Accepted struct {
	Service     string // the daemon, such as "sshd" or "sudo"
	Method      string // "password", "publickey", ...
	Fingerprint string // of the key, as the daemon writes it: "SHA256:..."
	Reason      string // why its severity is what it is, such as "after 12 failures of 192.0.2.7"
}

// Number implements [Detail].
func (Accepted) Number() uint8 { return 8 }

func (d *Accepted) fields(f Fields) {
	f.Text(1, "service", &d.Service, MaxWord)
	f.Text(2, "method", &d.Method, MaxWord)
	f.Text(3, "fingerprint", &d.Fingerprint, MaxName)
	f.Text(4, "reason", &d.Reason, MaxText)
}

// Count is the detail of Counter.
type Count struct {
	Key   string // which counter
	Value uint64 // what is added to it, at most [MaxEpisode]
}

// Number implements [Detail].
func (Count) Number() uint8 { return 9 }

func (d *Count) fields(f Fields) {
	f.Text(1, "key", &d.Key, MaxWord)
	f.Number(2, "value", &d.Value, MaxEpisode)
}
