package notice

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/escape"
)

// words says what events of a kind are, one and many.
var words = map[attack.Kind][2]string{
	attack.SSHLogin:       {"failed SSH login", "failed SSH logins"},
	attack.SSHProbe:       {"SSH probe", "SSH probes"},
	attack.LocalAuth:      {"failed sudo or su", "failed sudo or su"},
	attack.HTTPAuth:       {"failed web password", "failed web passwords"},
	attack.WordPressLogin: {"failed WordPress login", "failed WordPress logins"},
	attack.XMLRPC:         {"call of xmlrpc.php", "calls of xmlrpc.php"},
	attack.HTTPProbe:      {"web probe", "web probes"},
	attack.HTTPExploit:    {"web exploit", "web exploits"},
	attack.HTTPMalformed:  {"malformed web request", "malformed web requests"},
	attack.HTTPFlood:      {"flood of web requests", "floods of web requests"},
	attack.Ban:            {"ban", "bans"},
	attack.Unban:          {"lifted ban", "lifted bans"},
	attack.Test:           {"test event", "test events"},
	attack.MailLogin:      {"failed mail login", "failed mail logins"},
	attack.FTPLogin:       {"failed FTP login", "failed FTP logins"},
	attack.WebLogin:       {"failed web login", "failed web logins"},
	attack.RouterLogin:    {"failed router login", "failed router logins"},
	attack.VPNLogin:       {"failed VPN login", "failed VPN logins"},
	attack.Visit:          {"visit", "visits"},
	attack.MailProbe:      {"mail probe", "mail probes"},
	attack.RemoteLogin:    {"failed login", "failed logins"},
	attack.SSHAccepted:    {"SSH login", "SSH logins"},
	attack.LoginAccepted:  {"login", "logins"},
	attack.HTTPScan:       {"web scan", "web scans"},
	attack.SSHSpray:       {"attack with many user names", "attacks with many user names"},
	attack.SSHDistributed: {"attack on one user from many addresses", "attacks on one user from many addresses"},
	attack.Counter:        {"count", "counts"},
	attack.PortProbe:      {"port probe", "port probes"},
	attack.Fault:          {"fault", "faults"},
}

// amount says how many of a kind there are. A kind that this version does not know has only its name.
func amount(n uint64, kind string) string {
	known, err := attack.ParseKind(kind)
	text, ok := words[known]
	if err != nil || !ok {
		return fmt.Sprintf("%d %s", n, kind)
	}
	if n == 1 {
		return "1 " + text[0]
	}
	return fmt.Sprintf("%d %s", n, text[1])
}

// amounts says how many of each kind there are, the most first.
func amounts(kinds names) string {
	var parts []string
	for _, row := range kinds.rows(3) {
		parts = append(parts, amount(row.Count, row.Name))
	}
	if len(kinds) > 3 {
		parts = append(parts, "more")
	}
	return strings.Join(parts, ", ")
}

// listed names the first few.
func listed(n names) string {
	var parts []string
	for _, row := range n.rows(3) {
		parts = append(parts, row.Name)
	}
	if more := len(n) - len(parts); more > 0 {
		parts = append(parts, fmt.Sprintf("%d more", more))
	}
	return strings.Join(parts, ", ")
}

// place is the machine on which an event happened.
func place(r *Record) string {
	if r.Event.Host != "" {
		return escape.Text(r.Event.Host)
	}
	return r.Agent
}

// source is where an event came from; empty if nobody said.
func source(e *attack.Event) string {
	if e.SourceIP.IsValid() {
		return e.SourceIP.String()
	}
	return escape.Text(e.SourceHost)
}

// Sentence says what one event is.
func Sentence(r *Record) string {
	e := &r.Event
	text := amount(max(e.Count, 1), e.Kind.String())
	if e.User != "" {
		text += fmt.Sprintf(" of \"%s\"", escape.Text(e.User))
	}
	if from := source(e); from != "" {
		text += " from " + from
	}
	return text + " on " + place(r)
}

// networkOf is what counts as one network: a /24, or a /48 of IPv6.
func networkOf(addr netip.Addr) string {
	bits := 24
	if addr.Is6() {
		bits = 48
	}
	prefix, err := addr.Prefix(bits)
	if err != nil {
		return ""
	}
	return prefix.String()
}

// spanText says how long a span is, in its two largest units.
func spanText(d time.Duration) string {
	d = max(d, 0).Round(time.Second)
	units := []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}}
	var parts []string
	for _, unit := range units {
		if n := d / unit.size; n > 0 {
			d -= n * unit.size
			text := fmt.Sprintf("%d %s", n, unit.name)
			if n > 1 {
				text += "s"
			}
			if parts = append(parts, text); len(parts) == 2 {
				break
			}
		} else if len(parts) > 0 {
			break
		}
	}
	if len(parts) == 0 {
		return "no time"
	}
	return strings.Join(parts, " ")
}
