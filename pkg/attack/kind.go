package attack

import "fmt"

// Kind says what was attempted. The zero Kind is no kind and never valid.
type Kind uint8

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
)

// Family says which lamp of the default ones a kind belongs to.
type Family uint8

// The families.
const (
	FamilySSH       Family = iota + 1 // an attack on the SSH server
	FamilyWordPress                   // an attack on a WordPress site
	FamilyOther                       // everything else
)

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
}

// Kinds lists every kind in the order of their numbers.
func Kinds() []Kind {
	all := make([]Kind, 0, len(kinds)-1)
	for k := Kind(1); k.Valid(); k++ {
		all = append(all, k)
	}
	return all
}

// ParseKind returns the kind of a snake case name such as "ssh_login".
func ParseKind(name string) (Kind, error) {
	for _, k := range Kinds() {
		if kinds[k].name == name {
			return k, nil
		}
	}
	return 0, fmt.Errorf("unknown kind %q", name)
}

// Valid says whether k is one of the kinds above.
func (k Kind) Valid() bool { return k > 0 && int(k) < len(kinds) }

// String returns the snake case name that JSON, rules and configurations use.
func (k Kind) String() string {
	if !k.Valid() {
		return fmt.Sprintf("kind(%d)", uint8(k))
	}
	return kinds[k].name
}

// Severity returns the severity that an event of this kind has unless its rule says otherwise.
func (k Kind) Severity() Severity {
	if !k.Valid() {
		return 0
	}
	return kinds[k].severity
}

// Family returns the family whose default lamp shows this kind.
func (k Kind) Family() Family {
	if !k.Valid() {
		return 0
	}
	return kinds[k].family
}

// Attempt says whether the counts of this kind are attempts. A flood's requests were counted
// under their own kinds, a ban is an answer to attempts that were counted, and a test or a
// visit is no attack: these light a lamp but add nothing to an attack total.
func (k Kind) Attempt() bool { return k.Valid() && kinds[k].attempt }

// MarshalText returns the name; it fails for an invalid kind.
func (k Kind) MarshalText() ([]byte, error) {
	if !k.Valid() {
		return nil, fmt.Errorf("cannot name kind %d", uint8(k))
	}
	return []byte(kinds[k].name), nil
}

// UnmarshalText accepts the names that MarshalText returns.
func (k *Kind) UnmarshalText(text []byte) error {
	parsed, err := ParseKind(string(text))
	if err == nil {
		*k = parsed
	}
	return err
}
