package history

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// Source is an address or network, and what is known of it.
type Source struct {
	Prefix      netip.Prefix
	Attempts    uint64
	First, Last time.Time
	Kinds       []Tally // the most frequent first, a few of each
	Users       []Tally
	Targets     []Tally
	Ban         Ban
}

// Ban is what was last heard of a source being banned; the zero value is nothing.
type Ban struct {
	At     time.Time
	Jail   string
	Lifted bool
}

// Bounds of lists about sources.
const (
	few        = 3   // kinds, users and targets of a source
	maxSources = 100 // of one answer
)

// Source returns what is known of a filter's source: attempts, kinds and times by lists, and users,
// targets and bans by the newest 200,000 events of the hours in which it was seen.
func (h *History) Source(ctx context.Context, filter Filter) (Source, error) {
	p := newPortrait(filter.Source)
	what, in := filter.listing()
	err := h.View(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if what != 0 {
			of := func(name []byte) *portrait {
				if in(name) {
					return p
				}
				return nil
			}
			if err := h.sketch(ctx, tx, what, filter.Span, dayLong, filter, of); err != nil {
				return err
			}
			if err := h.refine(ctx, tx, what, filter, p, in); err != nil {
				return err
			}
		}
		var e portrayed
		_, err := h.eachNewest(ctx, tx, filter, portrayedColumns, "", e.targets(), func() { p.see(&e) })
		return err
	})
	return p.source(), err
}

// TopSources returns the addresses with the most attempts and what is known of each, the most
// first: at most limit, and never more than 100. Of users and targets it knows those of some 10,000 events:
// of the time in which each source tried the most, and of the newest. Of a span of more than 15 days, times
// are those of days where no such event tells more.
func (h *History) TopSources(ctx context.Context, filter Filter, limit int) ([]Source, error) {
	top, err := h.Top(ctx, Sources, filter, min(limit, maxSources))
	if err != nil || len(top) == 0 {
		return nil, err
	}
	portraits := make(map[string]*portrait)
	var wanted []string
	for _, tally := range top {
		if addr, err := netip.ParseAddr(tally.Name); err == nil {
			raw := string(addr.AsSlice())
			portraits[raw] = newPortrait(netip.PrefixFrom(addr, addr.BitLen()))
			wanted = append(wanted, fmt.Sprintf("x'%x'", raw))
		}
	}
	err = h.View(ctx, func(ctx context.Context, tx *sql.Tx) error {
		of := func(name []byte) *portrait { return portraits[string(name)] }
		if filter.User == "" && filter.Host == "" {
			longest := int64(hour)
			if filter.Since.IsZero() || h.options.Now().Sub(filter.Since) > hoursSketched {
				longest = dayLong
			}
			if err := h.sketch(ctx, tx, addressNames, filter.Span, longest, filter, of); err != nil {
				return err
			}
		}
		looked, err := h.looked(ctx, tx, filter, portraits)
		if err != nil {
			return err
		}
		where, args, err := filter.where(ctx, tx)
		if err != nil {
			return err
		}
		var e portrayed
		for _, r := range slices.Backward(looked) {
			err := each(ctx, tx, portrayedColumns+" "+where+" AND events.id BETWEEN ? AND ? AND source IN ("+strings.Join(wanted, ",")+")", e.targets(),
				func() {
					if p := of(e.source); p != nil {
						p.see(&e)
					}
				}, append(slices.Clone(args), r.first, r.last)...)
			if err != nil {
				return err
			}
		}
		return nil
	})
	sources := make([]Source, 0, len(top))
	for _, tally := range top {
		if addr, err := netip.ParseAddr(tally.Name); err == nil {
			source := portraits[string(addr.AsSlice())].source()
			source.Attempts = tally.Attempts
			sources = append(sources, source)
		}
	}
	return sources, err
}

// looked returns where some events of portraits are, the newest first.
func (h *History) looked(ctx context.Context, tx querier, filter Filter, portraits map[string]*portrait) ([]idRange, error) {
	var spots []stretch
	for _, p := range portraits {
		if p.most > 0 {
			spots = append(spots, p.densest)
		}
		if p.ban.step > 0 {
			spots = append(spots, p.ban)
		}
	}
	slices.SortFunc(spots, func(a, b stretch) int { return cmp.Compare(b.since, a.since) })
	last, err := idAt(ctx, tx, time.Unix(1<<33, 0))
	if !filter.Until.IsZero() && err == nil {
		last, err = idAt(ctx, tx, filter.Until)
	}
	looked := []idRange{{last - maxLooked/2, last - 1}}
	left := int64(maxLooked / 2)
	for _, s := range slices.Compact(spots) {
		if err != nil || left <= 0 {
			break
		}
		var r idRange
		if r.first, err = idAt(ctx, tx, time.Unix(s.since, 0)); err == nil {
			r.last, err = idAt(ctx, tx, time.Unix(s.until, 0))
			r.last = min(r.last-1, r.first+left)
			left -= r.last - r.first + 1
			looked = append(looked, r)
		}
	}
	return newestFirst(looked), err
}

// hoursSketched is up to which span hours are read for portraits, rather than days.
const hoursSketched = 15 * 24 * time.Hour

// maxLooked is how many events are looked at for the users and targets of sources.
const maxLooked = 10_000

// portrait collects what is known of a source.
type portrait struct {
	Source
	kinds, users, targets *tallies

	densest, ban stretch // in which it tried the most, and in which it was last banned, or no longer so
	most         uint64
	seen         struct { // in events
		attempts    uint64
		first, last time.Time
		kinds       *tallies
	}
}

func newPortrait(prefix netip.Prefix) *portrait {
	p := &portrait{Source: Source{Prefix: prefix}, kinds: newTallies(), users: newTallies(), targets: newTallies()}
	p.seen.kinds = newTallies()
	return p
}

// source puts together what lists and events say. Lists know steps, events the very moment, if they are
// those of that step.
func (p *portrait) source() Source {
	if p.Attempts < p.seen.attempts {
		p.Attempts, p.kinds = p.seen.attempts, p.seen.kinds
	}
	switch seen := p.seen.first; {
	case p.First.IsZero(), !seen.IsZero() && seen.Before(p.First.Add(time.Minute)):
		p.First = seen
	}
	if p.seen.last.After(p.Last) {
		p.Last = p.seen.last
	}
	p.Kinds, p.Users, p.Targets = p.kinds.list(few), p.users.list(few), p.targets.list(few)
	return p.Source
}

// sketch begins portraits by what lists say.
func (h *History) sketch(ctx context.Context, tx querier, what nameKind, span Span, longest int64, filter Filter, of func(name []byte) *portrait) error {
	agents, err := agentNames(ctx, tx)
	if err != nil {
		return err
	}
	now := h.now()
	made, err := readListed(ctx, tx, what, now.Location())
	if err != nil {
		return err
	}
	chosen := filter.groups(agents)
	var start int64
	var list []byte
	for _, part := range stretches(span, longest, made, now) {
		err := each(ctx, tx, `SELECT start, list FROM lists WHERE what = ? AND step = ? AND start >= ? AND start < ? ORDER BY start`, []any{&start, &list}, func() {
			step := stretch{part.step, start, start + part.step}
			eachName(list, func(g group) bool { return g.kind < testKind && chosen(g) }, func(g group, name []byte, sum Sum) {
				if p := of(name); p != nil {
					p.sketch(step, attack.StoredKind(g.kind), g.kind, sum.Attempts)
				}
			})
		}, int64(what), part.step, part.since, part.until)
		if err != nil {
			return err
		}
	}
	return nil
}

// refine finds the hours, or minutes, of the days in which a source was seen first and last.
func (h *History) refine(ctx context.Context, tx querier, what nameKind, filter Filter, p *portrait, in func(name []byte) bool) error {
	for _, day := range []time.Time{p.First, p.Last} {
		if day.IsZero() {
			continue
		}
		one := newPortrait(p.Prefix)
		span := Span{day, day.AddDate(0, 0, 1)}
		if filter.Since.After(span.Since) {
			span.Since = filter.Since
		}
		if !filter.Until.IsZero() && filter.Until.Before(span.Until) {
			span.Until = filter.Until
		}
		err := h.sketch(ctx, tx, what, span, hour, filter, func(name []byte) *portrait {
			if in(name) {
				return one
			}
			return nil
		})
		if err != nil {
			return err
		}
		if day == p.First && !one.First.IsZero() {
			p.First = one.First
		}
		if one.Last.After(p.Last) {
			p.Last = one.Last
		}
	}
	return nil
}

func (p *portrait) sketch(at stretch, kind attack.Kind, stored int64, attempts uint64) {
	if begun := time.Unix(at.since, 0); p.First.IsZero() || begun.Before(p.First) {
		p.First = begun
	}
	if begun := time.Unix(at.since, 0); begun.After(p.Last) {
		p.Last = begun
	}
	if (kind == attack.Ban || kind == attack.Unban) && at.since >= p.ban.since {
		p.ban = at
	}
	if !kind.Attempt() {
		return
	}
	p.Attempts += attempts
	p.kinds.add(kind.String(), stored, int64(attempts))
	if attempts > p.most {
		p.most, p.densest = attempts, at
	}
}

// portrayed is what portraits need of an event.
type portrayed struct {
	arrived, kind, count, test int64
	source, user, detail       []byte
}

const portrayedColumns = `SELECT arrived, kind, count, test, source, user, detail FROM events`

func (e *portrayed) targets() []any {
	return []any{&e.arrived, &e.kind, &e.count, &e.test, &e.source, &e.user, &e.detail}
}

// see adds an event.
func (p *portrait) see(e *portrayed) {
	at, kind := time.Unix(0, e.arrived), attack.StoredKind(e.kind)
	detail, _ := decodeDetail(e.detail)
	if p.seen.last = at; p.seen.first.IsZero() {
		p.seen.first = at
	}
	if kind == attack.Ban || kind == attack.Unban {
		info, _ := detail.(attack.BanInfo)
		p.Ban = Ban{At: at, Jail: info.Jail, Lifted: kind == attack.Unban}
	}
	if e.test != 0 || !kind.Attempt() {
		return
	}
	p.seen.attempts += uint64(e.count)
	p.seen.kinds.add(kind.String(), e.kind, e.count)
	p.users.add(string(e.user), e.kind, e.count)
	p.targets.add(targetOf(detail), e.kind, e.count)
}
