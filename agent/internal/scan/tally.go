package scan

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

const (
	maxNames = 16 << 10 // names that are counted at a time
	top      = 10       // names shown
)

// tally counts events for the summary, in bounded memory.
type tally struct {
	kinds   [256]struct{ events, count uint64 }
	sources counter[netip.Addr]
	hosts   counter[string]
	users   counter[string]
}

func newTally() *tally {
	return &tally{sources: newCounter[netip.Addr](), hosts: newCounter[string](), users: newCounter[string]()}
}

func (t *tally) add(ev *attack.Event) {
	kind := &t.kinds[ev.Kind]
	kind.events++
	kind.count += ev.Count
	if !ev.Kind.Attempt() {
		return
	}
	switch {
	case ev.SourceIP.IsValid():
		t.sources.add(ev.SourceIP, ev.Count)
	case ev.SourceHost != "":
		t.hosts.add(ev.SourceHost, ev.Count)
	}
	if ev.User != "" {
		t.users.add(ev.User, ev.Count)
	}
}

// counter counts by name. When there are too many names it forgets the rarer half, so that a
// common name's count is exact unless the name was rare for long.
type counter[K comparable] struct {
	counts map[K]*uint64
	last   K
	at     *uint64 // count of last
	lossy  bool
}

func newCounter[K comparable]() counter[K] { return counter[K]{counts: map[K]*uint64{}} }

func (c *counter[K]) add(name K, n uint64) {
	if c.at == nil || c.last != name {
		if c.at = c.counts[name]; c.at == nil {
			if len(c.counts) >= maxNames {
				c.halve()
			}
			c.at = new(uint64)
			c.counts[name] = c.at
		}
		c.last = name
	}
	*c.at += n
}

func (c *counter[K]) halve() {
	counts := make([]uint64, 0, len(c.counts))
	for _, n := range c.counts {
		counts = append(counts, *n)
	}
	slices.Sort(counts)
	median := counts[len(counts)/2]
	for name, n := range c.counts {
		if *n <= median {
			delete(c.counts, name)
		}
	}
	c.lossy = true
}

type counted struct {
	name  string
	count uint64
}

// list returns all names with their counts.
func (c *counter[K]) list(format func(K) string) []counted {
	all := make([]counted, 0, len(c.counts))
	for name, n := range c.counts {
		all = append(all, counted{format(name), *n})
	}
	return all
}

// most returns the commonest.
func most(all []counted) []counted {
	slices.SortFunc(all, func(a, b counted) int {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.name, b.name))
	})
	return all[:min(len(all), top)]
}

// summarise prints what was read and found.
func (s *scan) summarise() {
	w := s.out
	r := s.result
	fmt.Fprintf(w, "\n%d lines, %d attempts in %d events\n", r.Lines, r.Attempts, r.Events)
	if r.OverLong > 0 {
		fmt.Fprintf(w, "%d lines were longer than %d bytes and not looked at\n", r.OverLong, maxLine)
	}
	if stats := s.engine.Stats(); stats.Ignored > 0 {
		fmt.Fprintf(w, "%d attempts from ignored addresses\n", stats.Ignored)
	}
	var kinds []counted
	for _, kind := range attack.Kinds() {
		if n := s.tally.kinds[kind]; n.events > 0 {
			kinds = append(kinds, counted{kind.String(), n.count})
		}
	}
	s.table("Kinds", kinds, false)
	sources := s.tally.sources.list(netip.Addr.String)
	sources = append(sources, s.tally.hosts.list(plain)...)
	s.table("Top sources", most(sources), s.tally.sources.lossy || s.tally.hosts.lossy)
	s.table("Top users", most(s.tally.users.list(plain)), s.tally.users.lossy)
	if took := s.opts.Now().Sub(s.started); took > 0 {
		fmt.Fprintf(w, "\n%.3g s, %.0f lines/s\n", took.Seconds(), float64(r.Lines)/max(took, time.Microsecond).Seconds())
	}
}

func plain(name string) string { return string(appendName(nil, name)) }

func (s *scan) table(title string, rows []counted, lossy bool) {
	if len(rows) == 0 {
		return
	}
	if lossy {
		title += " (at least; there were too many to keep all)"
	}
	fmt.Fprintf(s.out, "\n%s\n", title)
	width := 0
	for _, row := range rows {
		width = max(width, len(strconv.FormatUint(row.count, 10)))
	}
	for _, row := range rows {
		fmt.Fprintf(s.out, "  %*d  %s\n", width, row.count, row.name)
	}
}
