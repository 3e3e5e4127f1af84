package history

import (
	"context"
	"net/netip"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// hoursSketched is up to which span hours are read for portraits, rather than days.
const hoursSketched = 15 * 24 * time.Hour

// maxLooked is how many events are looked at for the users and targets of sources.
const maxLooked = 5_000

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
func (r *reading) sketch(ctx context.Context, what nameKind, span Span, longest int64, filter Filter, of func(name []byte) *portrait) error {
	chosen, err := r.chosen(ctx, filter)
	if err != nil {
		return err
	}
	return r.each(ctx, what, span, longest, func(one listRow) {
		eachName(one.list, func(g group) bool { return g.kind < testKind && chosen(g) }, func(g group, name []byte, sum Sum) {
			if p := of(name); p != nil {
				p.sketch(one.stretch, attack.StoredKind(g.kind), g.kind, sum.Attempts)
			}
		})
	})
}

// refine finds the hours, or minutes, of the days in which a source was seen first and last.
func (r *reading) refine(ctx context.Context, what nameKind, filter Filter, p *portrait, in func(name []byte) bool) error {
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
		err := r.sketch(ctx, what, span, hour, filter, func(name []byte) *portrait {
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

const few = 3 // kinds, users and targets of a source
