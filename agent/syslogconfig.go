package main

import (
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pialert/pialert/agent/internal/mtls"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/config"
)

// Syslog is where other machines send their lines.
type Syslog struct {
	// Listen is udp://ADDRESS:PORT, tcp://ADDRESS:PORT, tls://ADDRESS:PORT or unixgram:///PATH. Ports below
	// 1024 need pialert-agent-syslog.socket.
	Listen string `yaml:"listen"`
	// From lists the addresses and networks that may send. It may be left out where only this machine can
	// send, or clients are listed.
	From []string `yaml:"from"`
	// Host says which machine a line is of: sender, the address that it came from, or header, the name that
	// it gives itself. Nothing is sender.
	Host string `yaml:"host"`
	// Names are what machines are called instead of by their addresses.
	Names map[string]string `yaml:"names"`
	// Certificate and Key are the PEM files of a tls listener. They are read anew for each connection.
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`
	// Authority is the PEM file of the authority that signed the certificates of clients that are listed by
	// their names.
	Authority string `yaml:"authority"`
	// Clients lists the clients that may send by tls: names in their certificates, or SHA-256 fingerprints of
	// these. Nothing asks for no certificate.
	Clients []string `yaml:"clients"`
	// Buffer is how much the kernel is to keep of udp while the agent is busy. More than the system allows
	// (sysctl net.core.rmem_max) is cut to that, and status says so.
	Buffer config.Size `yaml:"buffer"`
	// Respond lets lines that came by udp cause bans. Anybody may be able to forge their sender.
	Respond bool `yaml:"respond"`
}

// Which machine a line is of.
const (
	hostSender = "sender"
	hostHeader = "header" // of files, too
)

// address splits where to listen.
func (l *Syslog) address() (network, address string) {
	network, address, _ = strings.Cut(l.Listen, "://")
	return network, address
}

// defaultBuffer is what the kernel is asked to keep of UDP unless the configuration says otherwise. 4 MiB
// took 300,000 datagrams at 165,000 a second without loss where the default lost more than 40 %.
const defaultBuffer = 4 << 20

// validate returns every mistake.
func (l *Syslog) validate(refuse func(field string, value any, problem string)) {
	network, address := l.address()
	switch network {
	case "udp", "tcp", "tls":
		if !config.Listenable(address) {
			refuse("listen", l.Listen, "give an address such as udp://:514, tcp://192.0.2.1:601 or tls://:6514")
		} else if len(l.From) == 0 && len(l.Clients) == 0 && !onlyLocal(address) {
			refuse("from", "none", "give the addresses and networks that may send")
		}
	case "unixgram":
		if !filepath.IsAbs(address) {
			refuse("listen", l.Listen, "give an absolute path, such as unixgram:///run/pialert-agent/log")
		}
	default:
		refuse("listen", l.Listen, "use udp://, tcp://, tls:// or unixgram://")
	}
	if _, err := networks("from", l.From); err != nil {
		refuse("from", strings.Join(l.From, ", "), "give addresses and networks such as 192.0.2.0/24")
	}
	if !slices.Contains([]string{"", hostSender, hostHeader}, l.Host) {
		refuse("host", l.Host, "use sender or header")
	}
	for text, name := range l.Names {
		if _, err := netip.ParseAddr(text); err != nil {
			refuse("names", text, "give the address of a sender")
		}
		if name == "" || len(name) > attack.MaxName || strings.ContainsFunc(name, func(c rune) bool { return !isNameRune(c) }) {
			refuse("names."+text, name, "use letters, digits, dots, hyphens and underscores")
		}
	}
	if len(l.Names) > 0 && l.Host == hostHeader {
		refuse("names", "given", "with host: header machines have the names that they give themselves")
	}
	l.serving().Check(network == "tls", refuse)
	if l.Buffer < 0 || l.Buffer > 1<<30 {
		refuse("buffer", l.Buffer, "give at most 1GiB")
	}
	if l.Respond && network != "udp" {
		refuse("respond", l.Respond, "it is for udp: lines that came otherwise cause bans as those of files do")
	}
}

func isNameRune(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune(".-_", c)
}

// onlyLocal says whether an address can be reached from this machine alone.
func onlyLocal(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip, addrErr := netip.ParseAddr(host)
	return err == nil && (host == "localhost" || addrErr == nil && ip.Unmap().IsLoopback())
}

func (l *Syslog) serving() *mtls.Server {
	return &mtls.Server{Certificate: l.Certificate, Key: l.Key, Authority: l.Authority, Clients: l.Clients}
}

// forgeable says whether anybody may have sent what came in, and it is to cause no response.
func (l *Syslog) forgeable() bool {
	network, _ := l.address()
	return network == "udp" && !l.Respond
}
