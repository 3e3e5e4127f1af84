package exempt

import (
	"io/fs"
	"net"
	"net/netip"
	"path"
	"runtime"
	"sync"
	"time"

	"github.com/pialert/pialert/agent/internal/value"
)

// Options is what a List needs; every field but Include must be set.
type Options struct {
	Allow   func() value.Networks // the owner's list, as known now
	Include []netip.Prefix        // special networks from which attackers come nevertheless
	Root    fs.FS                 // the file system, for what the kernel and systemd say of routes and sessions
	Own     func() ([]net.Addr, error)
	Peers   func() []netip.Addr // addresses of the displays, as seen on the link
	Now     func() time.Time
}

// List is who is exempt. Its methods may be called from any goroutine.
type List struct {
	options Options

	mu      sync.Mutex
	known   []exemption
	refresh time.Time
}

// New returns a list that looks at the machine when it is asked.
func New(o Options) *List { return &List{options: o} }

type exemption struct {
	network netip.Prefix
	why     string
}

// staleAfter is for how long what was seen of the machine is believed.
const staleAfter = 5 * time.Second

// Why says why a source must not be banned, if it must not.
func (l *List) Why(source netip.Prefix) (string, bool) {
	if why, never := inSpecial(source, l.options.Include); never {
		return why, true
	}
	if _, allowed := l.options.Allow().Overlapping(source); allowed {
		return "it is in responses.allow", true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.options.Now(); !now.Before(l.refresh) || l.refresh.Sub(now) > staleAfter {
		l.known, l.refresh = l.look(), now.Add(staleAfter)
	}
	for _, one := range l.known {
		if one.network.Overlaps(source) {
			return one.why, true
		}
	}
	return "", false
}

// look finds out what must not be banned now. What cannot be read protects nobody.
func (l *List) look() (all []exemption) {
	add := func(why string, addresses ...netip.Addr) {
		for _, addr := range addresses {
			if addr = addr.Unmap().WithZone(""); addr.IsValid() && !addr.IsUnspecified() {
				all = append(all, exemption{netip.PrefixFrom(addr, addr.BitLen()), why})
			}
		}
	}
	if own, err := l.options.Own(); err == nil {
		for _, one := range own {
			if prefix, err := netip.ParsePrefix(one.String()); err == nil {
				add("it is this machine's own", prefix.Addr())
			}
		}
	}
	add("a display is there", l.options.Peers()...)
	add("it is a gateway", gateways4(l.read("proc/net/route"))...)
	add("it is a gateway", gateways6(l.read("proc/net/ipv6_route"))...)
	for _, path := range resolvConf {
		add("it is a resolver", resolvers(l.read(path))...)
	}
	add("somebody is logged in from there", l.sessions()...)
	return all
}

// sessions returns from where somebody is logged in now from another machine, by utmp(5) and by systemd-logind; the
// unspecified address for each who came from nobody knows where.
func (l *List) sessions() (all []netip.Addr) {
	all = utmp(l.read("run/utmp"), layoutOn(runtime.GOARCH))
	if sessions, err := fs.ReadDir(l.options.Root, "run/systemd/sessions"); err == nil {
		for _, session := range sessions[:min(len(sessions), maxSessions)] {
			if addr, remote := remoteHost(l.read(path.Join("run/systemd/sessions", session.Name()))); remote {
				all = append(all, addr)
			}
		}
	}
	return all
}

// Remote says whether somebody is logged in from another machine.
func (l *List) Remote() bool { return len(l.sessions()) > 0 }

const (
	maxSessions = 4096
	maxRead     = 4 << 20 // bytes of one file
)

func (l *List) read(name string) []byte {
	content, err := fs.ReadFile(l.options.Root, name)
	if err != nil || len(content) > maxRead {
		return nil
	}
	return content
}
