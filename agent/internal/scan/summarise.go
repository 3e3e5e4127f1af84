package scan

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/pialert/pialert/pkg/escape"
)

// report sums up what was read and found.
func (s *scan) report() *Report {
	t, zone := s.tally, s.opts.zone()
	r := &Report{
		Files: s.opts.Files, Lines: s.result.Lines, Bytes: s.result.Bytes, OverLong: s.result.OverLong, Untrusted: s.result.Untrusted, Unread: s.result.Unread, Examples: s.engine.Stats().Examples,
		Ignored: s.engine.Stats().Ignored, Events: t.events, Attempts: t.attempts,
		Seconds: s.opts.Now().Sub(s.started).Seconds(), First: t.first, Last: t.last,
		Successes: t.accepted, Accepted: append(append([]Success{}, t.grave...), t.successes...), Addresses: len(t.sources.counts) + len(t.hosts.counts),
		Networks: most(t.networks(), listed),
		Sources:  most(append(t.sources.list(netip.Addr.String), t.hosts.list(readable)...), listed),
		Users:    most(t.users.list(readable), listed), Targets: most(t.targets.list(readable), listed),
		Kinds: []Kind{}, Hours: []Hour{},
		Complete: !(t.sources.lossy || t.hosts.lossy || t.users.lossy || t.targets.lossy || t.hours.lossy),
	}
	for kind, n := range t.kinds {
		r.Kinds = append(r.Kinds, Kind{kind.String(), n.events, n.count, kind.Attempt(), kind.Family()})
	}
	slices.SortFunc(r.Kinds, func(a, b Kind) int {
		return cmp.Or(cmp.Compare(a.family, b.family), cmp.Compare(b.Count, a.Count), cmp.Compare(a.Kind, b.Kind))
	})
	for hour, n := range t.hours.counts {
		r.Hours = append(r.Hours, Hour{time.Unix(hour*3600, 0).In(zone), *n})
	}
	slices.SortFunc(r.Hours, func(a, b Hour) int { return a.Start.Compare(b.Start) })
	return r
}

// summarise prints the report.
func (s *scan) summarise() {
	r := s.report()
	if s.opts.Format == JSON {
		text, err := json.Marshal(r)
		if err != nil {
			s.failed = err
			return
		}
		fmt.Fprintf(s.out, "%s\n", escape.JSON(text))
		return
	}
	s.out.Write(r.text(s.opts.Look, s.opts.zone()))
}
