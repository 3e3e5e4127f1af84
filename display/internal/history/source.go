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
)

// Bounds of lists about sources.
const (
	maxSources = 100 // of one answer

	listsOfADay = 4 << 20 // bytes, about
)

// Source returns what is known of a filter's source: attempts, kinds and times by lists, and users,
// targets and bans by the newest 30,000 events of the hours in which it was seen.
func (h *History) Source(ctx context.Context, filter Filter) (Source, error) {
	p := newPortrait(filter.Source)
	what, in := filter.listing()
	err := h.View(ctx, func(ctx context.Context, tx *sql.Tx) error {
		lists := h.lists(tx)
		if what != 0 {
			of := func(name []byte) *portrait {
				if in(name) {
					return p
				}
				return nil
			}
			lists.exact = filter.exactly(what)
			if err := lists.sketch(ctx, what, filter.Span, dayLong, filter, of); err != nil {
				return err
			}
			if err := lists.refine(ctx, what, filter, p, in); err != nil {
				return err
			}
		}
		var e portrayed
		_, err := lists.eachNewest(ctx, filter, portrayedColumns, "", e.targets(), func() { p.see(&e) })
		return err
	})
	return p.source(), err
}

// TopSources returns the addresses with the most attempts and what is known of each, the most
// first: at most limit, and never more than 100. Of users and targets it knows those of some 5,000 events:
// of the time in which each source tried the most, and of the newest. Of a span of more than 15 days, times
// are those of days where no such event tells more.
func (h *History) TopSources(ctx context.Context, filter Filter, limit int) ([]Source, error) {
	var top []Tally
	portraits := make(map[string]*portrait)
	err := h.View(ctx, func(ctx context.Context, tx *sql.Tx) error {
		lists := h.lists(tx)
		lists.room = listsOfADay // they are read twice
		rankings, err := lists.rank(ctx, []Dimension{Sources}, filter, min(limit, maxSources))
		if top = rankings[Sources].Names; err != nil || len(top) == 0 {
			return err
		}
		var wanted []string
		for _, tally := range top {
			if addr, err := netip.ParseAddr(tally.Name); err == nil {
				raw := string(addr.AsSlice())
				portraits[raw] = newPortrait(netip.PrefixFrom(addr, addr.BitLen()))
				wanted = append(wanted, fmt.Sprintf("x'%x'", raw))
			}
		}
		of := func(name []byte) *portrait { return portraits[string(name)] }
		if filter.User == "" && filter.Host == "" {
			longest := int64(hour)
			if filter.Since.IsZero() || h.options.Now().Sub(filter.Since) > hoursSketched {
				longest = dayLong
			}
			if err := lists.sketch(ctx, addressNames, filter.Span, longest, filter, of); err != nil {
				return err
			}
		}
		looked, err := h.looked(ctx, tx, filter, portraits)
		if err != nil {
			return err
		}
		all, err := filter.ids(ctx, tx)
		if err != nil {
			return err
		}
		where, args := filter.where()
		var e portrayed
		for _, r := range slices.Backward(within(looked, all)) {
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
