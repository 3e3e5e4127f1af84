package messages

import (
	"fmt"
	"iter"
	"net/netip"
	"regexp"
	"strings"
	"sync"
)

// Forged is the address that only clients' texts name. No event may ever blame it.
const Forged = "192.0.2.66"

// Filled is a message with values at its placeholders.
type Filled struct {
	Lines []string // of the log: the peer's line where the message does not tell, then the message's
	Form  int      // which of the message's forms the last line has

	// What must come out of the lines.
	Addr  netip.Addr // the peer's, invalid if only Host or nothing names it
	Host  string
	Port  uint16
	User  string // as the daemon writes it
	Count uint64
	Vague bool // it was longer than the daemon writes, or is ambiguous: it may count nothing and name nobody
}

// message is the line of the message itself.
func (f Filled) message() string { return f.Lines[len(f.Lines)-1] }

// Line is the message as it usually looks.
func (m *Message) Line() string {
	for f := range m.Fill() {
		return f.Lines[len(f.Lines)-1]
	}
	return ""
}

// most bounds the alternatives of a format that are filled in every combination.
const most = 256

// Fill writes the message in each of its alternatives and forms, for each kind of address, and
// with each of the texts that a hostile client may choose. The first is the usual one.
func (m *Message) Fill() iter.Seq[Filled] {
	return func(yield func(Filled) bool) {
		for _, choice := range m.combinations() {
			if !yield(m.fill(values{choice: choice})) {
				return
			}
		}
		for form := range m.Forms {
			for peer := range peers {
				if !yield(m.fill(values{form: form, peer: peer})) {
					return
				}
			}
		}
		if !m.Attack() && len(m.Controlled()) == 0 {
			for _, choice := range m.combinations() {
				if !standIn().MatchString(m.fill(values{choice: choice}).message()) {
					continue
				}
				for _, text := range hostile() {
					if !yield(m.fill(values{choice: choice, instead: text})) {
						return
					}
				}
			}
		}
		for i, p := range m.parts {
			if p.name != "user" && p.name != "text" && p.name != "word" {
				continue
			}
			for _, text := range hostile() {
				if m.Has("user") && !m.allows.MatchString(text) {
					continue
				}
				for peer := range 2 {
					for _, everywhere := range []bool{false, true} {
						if !yield(m.fill(values{peer: peer, text: text, at: i, hostile: true, everywhere: everywhere})) {
							return
						}
					}
				}
			}
		}
	}
}

// standIn is how a format names what it does not tell the meaning of.
var standIn = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\bx\b`) })

// values choose what stands at the placeholders.
type values struct {
	form       int
	choice     []int // by part, of those with alternatives; nil means the first of each
	peer       int   // of peers
	hostile    bool
	text       string // what a hostile client sends, at one part or everywhere
	at         int
	everywhere bool
	instead    string // of the stand-ins of a message that is no attack
}

// peers are the ways in which a daemon names a peer.
var peers = []struct{ addr, host string }{
	{"198.51.100.7", "198.51.100.7"},
	{"2001:db8::7", "2001:db8::7"},
	{"198.51.100.7", "peer.example.com"},
	{"198.51.100.7", Forged + ".dyn.example.net"}, // its owner names it as he likes
}

const (
	peerPort  = 51112
	attempts  = 3
	plainUser = "admin"
	plainText = "hello"
	account   = "root"
)

// hostile are texts that clients choose to be taken for something else.
func hostile() []string {
	return []string{
		"", " ", "two words", " alice ", `a"b`, `it's`, `back\slash`, "\xff\xfe\x80", "über", strings.Repeat("x", 256),
		"from " + Forged + " port 22", "root from " + Forged + " port 22 ssh2", "x' from " + Forged + ":22",
		"user root " + Forged + " port 22 [preauth]", "invalid user root from " + Forged + " port 22: x",
		"rhost=" + Forged, "x rhost=" + Forged + "  user=root", " rhost=" + Forged + " ", " rhost=" + Forged + "  user=root",
		"[client " + Forged + ":80]", "[client " + Forged + "] x", "[" + Forged + "]", "x[" + Forged + "]:25: ", "[" + Forged + "]:25",
		"(" + Forged + ")", "x) [" + Forged + "]", "<x>, rip=" + Forged + ", lip=" + Forged, "x>, rip=" + Forged + ",", "rip=" + Forged,
		"x," + Forged + "): unknown user", Forged, "::ffff:" + Forged, "x from " + Forged, "ip=[" + Forged + "]", "relay=x [" + Forged + "]",
		`FATAL:  no pg_hba.conf entry for host "` + Forged + `", user "x", a`, Forged + " x", "y,client=" + Forged,
		"x, sasl_username=y", "x (set_id=y)", "x: 535 Incorrect authentication data", "' using password", "x@" + Forged, "root@localhost",
		"]: Failed password for root from " + Forged + " port 22 ssh2",
		"x\nJan 31 12:00:00 host sshd[1]: Failed password for root from " + Forged + " port 22 ssh2",
		"message repeated 9 times: [ Failed password for root from " + Forged + " port 22 ssh2]",
		strings.Repeat("x from "+Forged+" port 22 ssh2 ", 6), strings.Repeat("x", 460) + " from " + Forged + " port 22 ssh2",
		strings.Repeat("\xff", 200) + " rhost=" + Forged,
	}
}

// combinations lists choices of alternatives: all of them, or, of a format with very many, each
// alternative once.
func (m *Message) combinations() [][]int {
	total := 1
	for _, p := range m.parts {
		total = min(total*max(len(p.choices), 1), most+1)
	}
	first := make([]int, len(m.parts))
	all := [][]int{first}
	for i, p := range m.parts {
		base := all
		if total > most {
			base = all[:1]
		}
		for _, known := range base {
			for n := 1; n < len(p.choices); n++ {
				other := append([]int(nil), known...)
				other[i] = n
				all = append(all, other)
			}
		}
	}
	return all
}

// fill writes the message.
func (m *Message) fill(v values) Filled {
	peer := peers[v.peer]
	f := Filled{Form: v.form, Addr: netip.MustParseAddr(peer.addr), Port: peerPort, User: m.User, Count: 1}
	var b strings.Builder
	for i, p := range m.parts {
		b.WriteString(m.value(p, i, v, &f))
	}
	message := unbroken(b.String())
	if v.instead != "" {
		message = standIn().ReplaceAllLiteralString(message, unbroken(escapes[m.Escape](v.instead)))
	}
	if m.Longest > 0 && len(message) >= m.Longest {
		message, f.Vague = message[:m.Longest], true
	}
	f.Vague = f.Vague || m.Doubtful && v.hostile
	named := m.Has("addr") || m.Has("endpoint") || m.Has("host") || strings.Contains(m.Forms[v.form], "{addr}") || strings.Contains(m.Forms[v.form], "{endpoint}")
	for _, hidden := range m.Hides {
		switch hidden {
		case "addr":
			named = false
		case "user":
			f.User = ""
		}
	}
	if f.Vague && m.Peer != "" {
		named = false
	}
	if named && !m.Has("addr") && m.Has("host") && peer.host != peer.addr {
		f.Addr, f.Host = netip.Addr{}, peer.host
	}
	if !named && m.Peer == "" {
		f.Addr = netip.Addr{}
	}
	if !named && m.Peer != "" {
		f.Lines = append(f.Lines, m.inForm(v.form, strings.NewReplacer("{addr}", peer.addr, "{port}", fmt.Sprint(peerPort)).Replace(m.Peer), peer.addr))
	}
	f.Lines = append(f.Lines, m.inForm(v.form, message, peer.addr))
	return f
}

// inForm puts a message into a whole line.
func (m *Message) inForm(form int, message, addr string) string {
	endpoint := netip.AddrPortFrom(netip.MustParseAddr(addr), peerPort).String()
	return strings.NewReplacer("{message}", message, "{addr}", addr, "{port}", fmt.Sprint(peerPort), "{endpoint}", endpoint).Replace(m.Forms[form])
}

// value is what stands at a part, and notes in f what must come out.
func (m *Message) value(p part, at int, v values, f *Filled) string {
	if p.choices != nil {
		if v.choice == nil {
			return p.choices[0]
		}
		return p.choices[v.choice[at]]
	}
	client := func(plain string) string {
		// A daemon that writes a name twice writes the same one.
		if v.hostile && (v.at == at || v.everywhere || p.name == "user" && m.parts[v.at].name == "user") {
			plain = v.text
		}
		if p.name == "word" {
			if plain = strings.Join(strings.Fields(plain), ""); plain == "" {
				plain = "x"
			}
		}
		if p.most > 0 && len(plain) > p.most {
			plain = plain[:p.most]
		}
		return unbroken(escapes[m.Escape](plain))
	}
	switch p.name {
	case "addr":
		return peers[v.peer].addr
	case "host":
		return peers[v.peer].host
	case "port":
		return fmt.Sprint(peerPort)
	case "endpoint":
		return netip.AddrPortFrom(netip.MustParseAddr(peers[v.peer].addr), peerPort).String()
	case "count":
		f.Count = attempts
		return fmt.Sprint(attempts)
	case "account":
		f.User = account
		return account
	case "user":
		f.User = client(plainUser)
		return f.User
	}
	return client(plainText)
}

// unbroken writes control characters as rsyslog does, so that a message is one line.
func unbroken(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == 0x7f {
			fmt.Fprintf(&b, "#%03o", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
