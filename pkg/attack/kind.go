package attack

import (
	"fmt"
	"strconv"
	"strings"
)

// Kind says what was attempted. The zero Kind is no kind and never valid.
//
// A kind of this program is its number. One that only a newer program knows is its number, in the
// lower 16 bits, together with what that program said of it, so that it can be counted and shown:
// see [UnknownKind].
type Kind uint32

// The kinds. Their numbers are those of the proto enum, so they never change.
const (
	SSHLogin       Kind = 1  // a failed authentication attempt on an SSH server
	SSHProbe       Kind = 2  // an SSH connection on which no authentication was tried
	LocalAuth      Kind = 3  // sudo, su and the like, by someone who is already on the machine
	HTTPAuth       Kind = 4  // a failed HTTP basic or digest authentication
	WordPressLogin Kind = 5  // a failed login on wp-login.php
	XMLRPC         Kind = 6  // a call of WordPress' xmlrpc.php
	HTTPProbe      Kind = 7  // a request for what is not there: /.env, /phpmyadmin, scanners
	HTTPExploit    Kind = 8  // an exploit pattern: traversal, shellshock, log4shell, injection
	HTTPMalformed  Kind = 9  // what is no HTTP request at all, or abuses the server as a proxy
	HTTPFlood      Kind = 10 // more requests in a window than allowed, by an address or a network
	Ban            Kind = 11 // another program banned an address
	Unban          Kind = 12 // another program lifted a ban
	Test           Kind = 13 // an event that a person fired to see the light
	MailLogin      Kind = 14 // a failed SMTP, IMAP or POP3 authentication
	FTPLogin       Kind = 15 // a failed FTP login
	WebLogin       Kind = 16 // a failed login of a web application other than WordPress
	RouterLogin    Kind = 17 // a failed login on a router
	VPNLogin       Kind = 18 // a failed IPsec negotiation or VPN authentication
	Visit          Kind = 19 // no attack: a page visit that a rule of the user's counts
	MailProbe      Kind = 20 // a mail server used against its rules, without a login: relay attempts, pipelining
	RemoteLogin    Kind = 21 // a failed login from elsewhere on a service that no other kind names
	SSHAccepted    Kind = 22 // no attack by itself: somebody got in by SSH
	LoginAccepted  Kind = 23 // no attack by itself: somebody got in by sudo, su, WordPress, mail, ftp ...
	HTTPScan       Kind = 24 // many distinct paths that are not there, asked for by an address or a network
	SSHSpray       Kind = 25 // many distinct user names, tried by an address or a network
	SSHDistributed Kind = 26 // one user name, tried from many addresses
	Counter        Kind = 27 // no attack: a number that another program reports
	PortProbe      Kind = 28 // packets to closed ports, where a firewall logs them
	Fault          Kind = 29 // no attack: something of PiAlert's own fails, such as what bans
)

// Family says which lamp of the default ones a kind belongs to.
type Family uint8

// The families.
const (
	FamilySSH       Family = iota + 1 // an attack on the SSH server
	FamilyWordPress                   // an attack on a WordPress site
	FamilyOther                       // everything else
)

// String returns the lower case name that configurations use; it is empty for an invalid family.
func (f Family) String() string {
	if f < FamilySSH || f > FamilyOther {
		return ""
	}
	return [...]string{FamilySSH: "ssh", FamilyWordPress: "wordpress", FamilyOther: "other"}[f]
}

// kinds is the one table of what a kind is; everything else about kinds is read from it.
var kinds = [...]struct {
	name     string
	severity Severity
	family   Family
	attempt  bool // its count is attempts, which lamps add up
}{
	SSHLogin:       {"ssh_login", Medium, FamilySSH, true},
	SSHProbe:       {"ssh_probe", Low, FamilySSH, true},
	LocalAuth:      {"local_auth", Medium, FamilyOther, true},
	HTTPAuth:       {"http_auth", Medium, FamilyOther, true},
	WordPressLogin: {"wordpress_login", Medium, FamilyWordPress, true},
	XMLRPC:         {"xmlrpc", Medium, FamilyWordPress, true},
	HTTPProbe:      {"http_probe", Low, FamilyOther, true},
	HTTPExploit:    {"http_exploit", High, FamilyOther, true},
	HTTPMalformed:  {"http_malformed", Low, FamilyOther, true},
	HTTPFlood:      {"http_flood", High, FamilyOther, false},
	Ban:            {"ban", Info, FamilyOther, false},
	Unban:          {"unban", Info, FamilyOther, false},
	Test:           {"test", Info, FamilyOther, false},
	MailLogin:      {"mail_login", Medium, FamilyOther, true},
	FTPLogin:       {"ftp_login", Medium, FamilyOther, true},
	WebLogin:       {"web_login", Medium, FamilyOther, true},
	RouterLogin:    {"router_login", Medium, FamilyOther, true},
	VPNLogin:       {"vpn_login", Medium, FamilyOther, true},
	Visit:          {"visit", Info, FamilyOther, false},
	MailProbe:      {"mail_probe", Low, FamilyOther, true},
	RemoteLogin:    {"remote_login", Medium, FamilyOther, true},
	SSHAccepted:    {"ssh_accepted", Info, FamilySSH, false},
	LoginAccepted:  {"login_accepted", Info, FamilyOther, false},
	HTTPScan:       {"http_scan", High, FamilyOther, false},
	SSHSpray:       {"ssh_spray", High, FamilySSH, false},
	SSHDistributed: {"ssh_distributed", High, FamilySSH, false},
	Counter:        {"counter", Info, FamilyOther, false},
	PortProbe:      {"port_probe", Low, FamilyOther, true},
	Fault:          {"fault", Medium, FamilyOther, false},
}

// A kind of a newer program, beside its number: the family and whether it counts attempts.
const (
	unknownFamily  = 16 // the lowest bit of the family
	unknownAttempt = Kind(1 << 24)
)

// UnknownKind returns the kind of a number that a newer program sent, with what that program said
// of it. A number that this program knows is simply that kind; a family that it does not know is
// [FamilyOther]. The number 0 is no kind.
func UnknownKind(number uint16, family Family, attempt bool) Kind {
	k := Kind(number)
	if k == 0 || k.known() {
		return k
	}
	if family.String() == "" {
		family = FamilyOther
	}
	k |= Kind(family) << unknownFamily
	if attempt {
		k |= unknownAttempt
	}
	return k
}

// StoredKind returns the kind that was stored as a number by this or another version: what was
// unknown then may be known now, and the other way round.
func StoredKind(stored int64) Kind {
	k := Kind(stored)
	if stored < 0 || int64(k) != stored || k>>25 != 0 {
		return 0
	}
	return UnknownKind(k.Number(), k.storedFamily(), k&unknownAttempt != 0)
}

// Kinds lists every kind that this program knows, in the order of their numbers.
func Kinds() []Kind {
	all := make([]Kind, 0, len(kinds)-1)
	for k := Kind(1); k.known(); k++ {
		all = append(all, k)
	}
	return all
}

// KindNames lists the names of all those kinds.
func KindNames() []string {
	var names []string
	for _, kind := range Kinds() {
		names = append(names, kind.String())
	}
	return names
}

// ParseKind returns the kind of a snake case name such as "ssh_login", or of what [Kind.String]
// returns for an unknown one.
func ParseKind(name string) (Kind, error) {
	for k := Kind(1); k.known(); k++ {
		if kinds[k].name == name {
			return k, nil
		}
	}
	if k, ok := parseUnknown(name); ok {
		return k, nil
	}
	return 0, fmt.Errorf("there is no kind %q", name)
}

func parseUnknown(name string) (Kind, bool) {
	for family := FamilySSH; family <= FamilyOther; family++ {
		for _, attempt := range []bool{true, false} {
			digits, ok := strings.CutPrefix(name, unknownPrefix(family, attempt))
			if number, err := strconv.ParseUint(digits, 10, 16); ok && err == nil && number > 0 {
				return UnknownKind(uint16(number), family, attempt), true
			}
		}
	}
	return 0, false
}

func unknownPrefix(family Family, attempt bool) string {
	if attempt {
		return "unknown_" + family.String() + "_attempt_"
	}
	return "unknown_" + family.String() + "_event_"
}

// Number returns the number by which the programs know the kind.
func (k Kind) Number() uint16 { return uint16(k) }

func (k Kind) known() bool { return k > 0 && int(k) < len(kinds) }

func (k Kind) storedFamily() Family { return Family(k >> unknownFamily) }

// Unknown says whether only a newer program knows what k is.
func (k Kind) Unknown() bool { return !k.known() && k.Number() != 0 && k.storedFamily().String() != "" }

// Valid says whether k is one of the kinds above, or one of a newer program's.
func (k Kind) Valid() bool { return k.known() || k.Unknown() }

// String returns the snake case name that JSON, rules and configurations use. A kind of a newer
// program has one like "unknown_ssh_attempt_30", after its family and number.
func (k Kind) String() string {
	switch {
	case k.known():
		return kinds[k].name
	case k.Unknown():
		return unknownPrefix(k.Family(), k.Attempt()) + strconv.Itoa(int(k.Number()))
	}
	return fmt.Sprintf("kind(%d)", uint32(k))
}

// Severity returns the severity that an event of this kind has unless its rule says otherwise.
func (k Kind) Severity() Severity {
	switch {
	case k.known():
		return kinds[k].severity
	case k.Unknown():
		return Medium
	}
	return 0
}

// Family returns the family whose default lamp shows this kind.
func (k Kind) Family() Family {
	switch {
	case k.known():
		return kinds[k].family
	case k.Unknown():
		return k.storedFamily()
	}
	return 0
}

// Attempt says whether the counts of this kind are attempts. The requests of a flood or a scan
// were counted under their own kinds, a ban is an answer to attempts that were counted, and a
// test, a visit or somebody's login is no attack: these may light a lamp but add nothing to an
// attack total.
func (k Kind) Attempt() bool {
	return k.known() && kinds[k].attempt || k.Unknown() && k&unknownAttempt != 0
}

// Apart says whether the kind is no attack and no answer to one: a lamp shows it only if it names
// it.
func (k Kind) Apart() bool {
	switch k {
	case Visit, Counter, SSHAccepted, LoginAccepted, Fault:
		return true
	}
	return false
}

// mayCountNothing says whether an event of this kind may stand for no attempt: updates of an
// episode do, and nobody knows what a newer program counts.
func (k Kind) mayCountNothing() bool {
	switch k {
	case HTTPFlood, HTTPScan, SSHSpray, SSHDistributed, Counter:
		return true
	}
	return k.Unknown()
}

// MarshalText returns the name; it fails for an invalid kind.
func (k Kind) MarshalText() ([]byte, error) {
	if !k.Valid() {
		return nil, fmt.Errorf("cannot name kind %d", uint32(k))
	}
	return []byte(k.String()), nil
}

// UnmarshalText accepts the names that MarshalText returns, also of a kind that was unknown to the
// program that wrote it.
func (k *Kind) UnmarshalText(text []byte) error {
	parsed, err := ParseKind(string(text))
	if err == nil {
		*k = parsed
	}
	return err
}
