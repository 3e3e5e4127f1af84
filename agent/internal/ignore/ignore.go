// Package ignore knows whose attempts are not counted: addresses and networks, names that are looked
// up again and again, files that list all of these, and the machine itself.
//
// A [List] answers from what it found out last; it never waits for a name server. What cannot be
// looked up keeps its last answer, so that a name server that fails lets nobody in or out.
// [List.Contains] may be called from any goroutine.
package ignore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pialert/pialert/agent/internal/value"
)

const (
	// lookAgain is how often names, files and the machine's addresses are looked up.
	lookAgain = time.Minute
	// lookFor bounds how long one name may take.
	lookFor = 10 * time.Second
	// maxFile bounds a file, in bytes; maxEntries all entries of all files.
	maxFile    = 1 << 20
	maxEntries = 10_000
)

// Options say whose attempts are ignored.
type Options struct {
	Entries []string // see [Check]
	Self    bool     // ignore the machine's own addresses, too
	Logger  *slog.Logger

	// Lookup finds a name's addresses, and Addresses the machine's own; nil means as the system does.
	Lookup    func(ctx context.Context, name string) ([]netip.Addr, error)
	Addresses func() ([]netip.Prefix, error)
}

// List is whose attempts are ignored.
type List struct {
	options Options
	names   map[string][]netip.Prefix // last answers
	files   map[string][]string       // last entries
	self    []netip.Prefix
	failed  map[string]error // what could not be found out, and was said
	current atomic.Pointer[found]
}

// found is what is known at a time.
type found struct {
	networks value.Networks
	names    map[string][]netip.Addr
}

// Check says whether an entry can be one: an address, a network, a host name, or the path of a file
// with one of these on each line, where # starts a comment.
func Check(entry string) error {
	if filepath.IsAbs(entry) {
		return nil
	}
	if _, ok := value.Network(entry); ok || isName(entry) {
		return nil
	}
	return errors.New("give an address, a network such as 192.0.2.0/24, a host name, or the path of a file with such lines")
}

func isName(entry string) bool { return value.IsHost([]byte(entry)) }

// New returns a List that knows the addresses and networks of its entries; [List.Refresh] finds out
// the rest. It starts nothing.
func New(options Options) (*List, error) {
	var problems []error
	for _, entry := range options.Entries {
		if err := Check(entry); err != nil {
			problems = append(problems, fmt.Errorf("cannot ignore %q: %w", entry, err))
		}
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	if options.Lookup == nil {
		options.Lookup = func(ctx context.Context, name string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
		}
	}
	if options.Addresses == nil {
		options.Addresses = ownAddresses
	}
	l := &List{options: options, names: map[string][]netip.Prefix{}, files: map[string][]string{}, failed: map[string]error{}}
	l.publish()
	return l, errors.Join(problems...)
}

// Contains says whether an address is ignored.
func (l *List) Contains(addr netip.Addr) bool {
	if l == nil || !addr.IsValid() {
		return false
	}
	return l.current.Load().networks.Contains(addr.Unmap())
}

// Networks returns whom the list has now.
func (l *List) Networks() value.Networks { return l.current.Load().networks }

// Names returns the names of the list and the addresses that were found last, none if nothing was found yet.
func (l *List) Names() map[string][]netip.Addr { return maps.Clone(l.current.Load().names) }

// Run looks everything up again and again until ctx ends.
func (l *List) Run(ctx context.Context) error {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		l.Refresh(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Refresh looks up names, files and the machine's addresses once. It must not be called twice at a
// time.
func (l *List) Refresh(ctx context.Context) {
	for _, entry := range l.options.Entries {
		if !filepath.IsAbs(entry) {
			continue
		}
		lines, err := readFile(entry)
		if l.tell(entry, err); err == nil {
			l.files[entry] = lines
		}
	}
	entries, dropped := l.entries()
	l.tell("all of them", dropped)
	for _, entry := range entries {
		if _, ok := value.Network(entry); ok || !isName(entry) {
			continue
		}
		bounded, cancel := context.WithTimeout(ctx, lookFor)
		addrs, err := l.options.Lookup(bounded, entry)
		cancel()
		if l.tell(entry, err); err != nil {
			continue
		}
		var found []netip.Prefix
		for _, addr := range addrs {
			addr = addr.Unmap().WithZone("")
			found = append(found, netip.PrefixFrom(addr, addr.BitLen()))
		}
		l.names[entry] = found
	}
	if l.options.Self {
		own, err := l.options.Addresses()
		if l.tell("the machine's own addresses", err); err == nil {
			l.self = own
		}
	}
	l.publish()
}

// entries returns those of the configuration and of the files, and an error if some had to be left out.
func (l *List) entries() (all []string, dropped error) {
	all = slices.Clone(l.options.Entries)
	for _, entry := range l.options.Entries {
		all = append(all, l.files[entry]...)
	}
	if n := len(all); n > maxEntries {
		return all[:maxEntries], fmt.Errorf("%d entries are too many: the last %d are left out", n, n-maxEntries)
	}
	return all, nil
}

// publish makes what is known the answer.
func (l *List) publish() {
	all := found{names: map[string][]netip.Addr{}}
	networks := slices.Clone(l.self)
	entries, _ := l.entries()
	for _, entry := range entries {
		if network, ok := value.Network(entry); ok {
			networks = append(networks, network)
		} else if isName(entry) {
			networks = append(networks, l.names[entry]...)
			all.names[entry] = nil
			for _, one := range l.names[entry] {
				all.names[entry] = append(all.names[entry], one.Addr())
			}
		}
	}
	all.networks = value.NewNetworks(networks...)
	l.current.Store(&all)
}

// tell logs once that something cannot be found out, and once that it can be again.
func (l *List) tell(what string, err error) {
	failed := l.failed[what] != nil
	switch {
	case err != nil && !failed:
		l.options.Logger.Warn("cannot find out whom to ignore; what was found last stays", "entry", what, "error", err)
	case err == nil && failed:
		l.options.Logger.Info("found out whom to ignore again", "entry", what)
	}
	l.failed[what] = err
}

// Unknown says what the last [List.Refresh] could not find out, in order. It must not be called during one.
func (l *List) Unknown() (all []string) {
	for _, err := range l.failed {
		if err != nil {
			all = append(all, err.Error()) // it names the file or host
		}
	}
	slices.Sort(all)
	return all
}

// readFile returns the entries of a file.
func readFile(path string) ([]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() > maxFile {
		return nil, fmt.Errorf("cannot read %s: it has more than %d bytes", path, maxFile)
	}
	var entries []string
	lines := bufio.NewScanner(io.LimitReader(file, maxFile))
	for number := 1; lines.Scan(); number++ {
		entry, _, _ := strings.Cut(lines.Text(), "#")
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		if _, ok := value.Network(entry); !ok && !isName(entry) {
			return nil, fmt.Errorf("cannot read line %d of %s: %q is no address, network or name", number, path, entry)
		}
		entries = append(entries, entry)
	}
	return entries, lines.Err()
}

// ownAddresses returns the addresses of the network interfaces.
func ownAddresses() ([]netip.Prefix, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var own []netip.Prefix
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		addr := prefix.Addr().Unmap().WithZone("")
		if addr.IsLoopback() && addr.Is4() {
			own = append(own, netip.MustParsePrefix("127.0.0.0/8"))
			continue
		}
		own = append(own, netip.PrefixFrom(addr, addr.BitLen()))
	}
	return own, nil
}
