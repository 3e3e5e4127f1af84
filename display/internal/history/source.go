package history

import (
	"context"
	"database/sql"
	"net/netip"
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

// Source returns what the newest 200,000 events of a filter tell of its source.
func (h *History) Source(ctx context.Context, filter Filter) (Source, error) {
	s := newPortrait(filter.Source)
	err := h.View(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return portray(ctx, tx, filter, "", nil, func(netip.Addr) *portrait { return s })
	})
	return s.source(), err
}

// TopSources returns the addresses with the most attempts and what is known of each, the most
// first: at most limit, and never more than 100. It looks at the newest 200,000 events that the
// filter chooses.
func (h *History) TopSources(ctx context.Context, filter Filter, limit int) ([]Source, error) {
	top, err := h.Top(ctx, Sources, filter, min(limit, maxSources))
	if err != nil || len(top) == 0 {
		return nil, err
	}
	portraits := make(map[netip.Addr]*portrait)
	var wanted []any
	for _, tally := range top {
		if addr, err := netip.ParseAddr(tally.Name); err == nil {
			portraits[addr] = newPortrait(netip.PrefixFrom(addr, addr.BitLen()))
			wanted = append(wanted, addr.AsSlice())
		}
	}
	condition := " AND source IN (?" + strings.Repeat(",?", len(wanted)-1) + ")"
	err = h.View(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return portray(ctx, tx, filter, condition, wanted, func(addr netip.Addr) *portrait { return portraits[addr] })
	})
	sources := make([]Source, 0, len(top))
	for _, tally := range top {
		if addr, err := netip.ParseAddr(tally.Name); err == nil {
			sources = append(sources, portraits[addr].source())
		}
	}
	return sources, err
}

// portrait collects what is known of a source.
type portrait struct {
	Source
	kinds, users, targets *tallies
}

func newPortrait(prefix netip.Prefix) *portrait {
	return &portrait{Source: Source{Prefix: prefix}, kinds: newTallies(), users: newTallies(), targets: newTallies()}
}

func (p *portrait) source() Source {
	p.Kinds, p.Users, p.Targets = p.kinds.list(few), p.users.list(few), p.targets.list(few)
	return p.Source
}

// portray reads events, the oldest first, and adds each to the portrait of its address, if any.
func portray(ctx context.Context, tx querier, filter Filter, condition string, values []any, of func(netip.Addr) *portrait) error {
	where, args, err := filter.newest(ctx, tx)
	if err != nil {
		return err
	}
	var arrived, kind, count, test int64
	var source, user, detail []byte
	return each(ctx, tx, `SELECT arrived, kind, count, test, source, user, detail FROM events `+where+condition+` ORDER BY id`,
		[]any{&arrived, &kind, &count, &test, &source, &user, &detail}, func() {
			addr, _ := netip.AddrFromSlice(source)
			if p := of(addr); p != nil {
				known, _ := decodeDetail(detail)
				p.add(time.Unix(0, arrived), attack.StoredKind(kind), count, test != 0, string(user), known)
			}
		}, append(args, values...)...)
}

// add adds an event.
func (p *portrait) add(at time.Time, kind attack.Kind, count int64, test bool, user string, detail attack.Detail) {
	p.Last = at
	if p.First.IsZero() {
		p.First = at
	}
	if kind == attack.Ban || kind == attack.Unban {
		info, _ := detail.(attack.BanInfo)
		p.Ban = Ban{At: at, Jail: info.Jail, Lifted: kind == attack.Unban}
	}
	if test || !kind.Attempt() {
		return
	}
	p.Attempts += uint64(count)
	p.kinds.add(kind.String(), int64(kind), count)
	p.users.add(user, int64(kind), count)
	p.targets.add(targetOf(detail), int64(kind), count)
}
