package page

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// view is what a page is asked to show. The page's address holds all of it, so that it can be sent
// to somebody.
type view struct {
	Range string // one of ranges; empty for a span of one's own
	Span
	By string // lamp, agent or country
	Filter
	Before int64         // events before this id
	age    time.Duration // since it began
}

// What charts can be stacked by: countries where the owner has a database of them.
const (
	stackLamp    = "lamp"
	stackAgent   = "agent"
	stackCountry = "country"
)

// stacks lists what the chart of a view can be stacked by. No roll-up says from where a user name was tried.
func (s *Server) stacks(v view) []string {
	if s.options.Place == nil || v.User != "" {
		return []string{stackLamp, stackAgent}
	}
	return []string{stackLamp, stackAgent, stackCountry}
}

// ranges are the spans that a page offers. A bar is a minute, ten minutes, an hour, a day.
var ranges = []struct {
	Name, Label string
	bars        int
	step        time.Duration
}{
	{"90m", "90 minutes", 90, time.Minute},
	{"24h", "24 hours", 144, 10 * time.Minute},
	{"7d", "7 days", 7 * 24, time.Hour},
	{"90d", "90 days", 90, day},
}

const day = 24 * time.Hour

// How long the history can tell minutes, and tens of them, apart.
const (
	minutesKept = 2 * day
	tensKept    = 14 * day
)

// maxBars bounds a chart; a screen has no room for more.
const maxBars = 400

// parseView reads the address of a page.
func (s *Server) parseView(query url.Values, usual string) (v view, err error) {
	now := s.options.Now()
	v = view{Range: usual, By: stackLamp}
	if name := query.Get("range"); name != "" {
		v.Range = name
	}
	if query.Has("from") {
		v.Range = ""
		if v.From, err = parseTime(query.Get("from")); err != nil {
			return v, err
		}
		v.Until = now
		if query.Has("until") {
			if v.Until, err = parseTime(query.Get("until")); err != nil {
				return v, err
			}
		}
		if !v.Until.After(v.From) || v.Until.Sub(v.From) > 400*day {
			return v, badRequest{fmt.Errorf("a span must end after it begins, and within 400 days")}
		}
	} else if v.Span, err = span(v.Range, now, s.options.Zone()); err != nil {
		return v, err
	}
	v.age = now.Sub(v.From)
	v.Agent, v.User = query.Get("agent"), query.Get("user")
	if len(v.Agent) > attack.MaxName || len(v.User) > attack.MaxUser {
		return v, badRequest{fmt.Errorf("a name is too long")}
	}
	if kind := query.Get("kind"); kind != "" {
		if v.Kind, err = attack.ParseKind(kind); err != nil {
			return v, badRequest{err}
		}
	}
	if source := query.Get("source"); source != "" {
		if v.Source, err = parseSource(source); err != nil {
			return v, badRequest{err}
		}
	}
	if by := query.Get("by"); slices.Contains(s.stacks(v), by) {
		v.By = by
	}
	if before := query.Get("before"); before != "" {
		if _, err := fmt.Sscan(before, &v.Before); err != nil {
			return v, badRequest{fmt.Errorf("%q is no event's number", before)}
		}
	}
	return v, nil
}

func parseTime(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.Year() < 1990 || t.Year() > 2200 {
		return t, badRequest{fmt.Errorf("%q is no time such as 2026-11-20T18:00:00Z", text)}
	}
	return t, nil
}

// span returns the span of a range that ends with the bar of now.
func span(name string, now time.Time, zone *time.Location) (Span, error) {
	for _, r := range ranges {
		if r.Name != name {
			continue
		}
		until := after(now, r.step, zone)
		if r.step == day {
			return Span{until.AddDate(0, 0, -r.bars), until}, nil
		}
		return Span{until.Add(-time.Duration(r.bars) * r.step), until}, nil
	}
	return Span{}, badRequest{fmt.Errorf("there is no range %q", name)}
}

// after returns the end of the bar that t is in.
func after(t time.Time, step time.Duration, zone *time.Location) time.Time {
	if step == day {
		year, month, date := t.In(zone).Date()
		return time.Date(year, month, date+1, 0, 0, 0, 0, zone)
	}
	// Zones are whole minutes from UTC, but not whole hours everywhere.
	_, offset := t.In(zone).Zone()
	ahead := time.Duration(offset) * time.Second
	return t.Add(ahead).Truncate(step).Add(step - ahead).In(zone)
}

// step is how long a bar of the view is.
func (v *view) step() time.Duration {
	for _, r := range ranges {
		if r.Name == v.Range {
			return r.step
		}
	}
	switch long := v.Until.Sub(v.From); {
	case long > 14*day:
		return day
	case long > 36*time.Hour || v.age > tensKept || v.By == stackCountry && v.age > minutesKept:
		return time.Hour
	case long > 3*time.Hour || v.age > minutesKept:
		return 10 * time.Minute
	}
	return time.Minute
}

// bounds are where the bars of a view begin and end. A day has 23 or 25 hours where clocks change.
func (v *view) bounds(zone *time.Location) []time.Time {
	step := v.step()
	at := after(v.From, step, zone)
	if step == day {
		at = at.AddDate(0, 0, -1)
	} else {
		at = at.Add(-step)
	}
	bounds := []time.Time{at}
	for at.Before(v.Until) && len(bounds) <= maxBars {
		at = after(at, step, zone)
		bounds = append(bounds, at)
	}
	return bounds
}

// Query is the view's address with some of it changed: pairs of a key and a value.
func (v view) Query(change ...string) string {
	query := url.Values{}
	set := func(key, value string) {
		query.Del(key)
		if value != "" {
			query.Set(key, value)
		}
	}
	set("range", v.Range)
	if v.Range == "" {
		set("from", v.From.UTC().Format(time.RFC3339))
		set("until", v.Until.UTC().Format(time.RFC3339))
	}
	if v.By != stackLamp {
		set("by", v.By)
	}
	set("agent", v.Agent)
	set("user", v.User)
	if v.Kind != 0 {
		set("kind", v.Kind.String())
	}
	if v.Source.IsValid() {
		set("source", sourceText(v.Source))
	}
	for i := 0; i+1 < len(change); i += 2 {
		if set(change[i], change[i+1]); change[i] == "range" {
			query.Del("from")
			query.Del("until")
		}
	}
	return "?" + query.Encode()
}

// parseSource reads an address or a network; bits behind the network's are cleared.
func parseSource(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is no address such as 192.0.2.7, and no network such as 192.0.2.0/24", text)
	}
	return prefix.Masked(), nil
}

// sourceText writes an address without its length.
func sourceText(prefix netip.Prefix) string {
	if prefix.IsSingleIP() {
		return prefix.Addr().String()
	}
	return prefix.String()
}

// sourcePath is the address of a source's page.
func sourcePath(prefix netip.Prefix) string { return "/source/" + sourceText(prefix) }

// isNarrow says whether a source lies in one network that addresses are listed under.
func isNarrow(source netip.Prefix) bool {
	return source.IsValid() && source.Bits() >= networkOf(source.Addr()).Bits()
}

// networkOf is the network that an address is listed under: its /24, or its /64.
func networkOf(address netip.Addr) netip.Prefix {
	bits := 64
	if address.Is4() {
		bits = 24
	}
	prefix, _ := address.Prefix(bits)
	return prefix
}

// badRequest is an error that is the asker's.
type badRequest struct{ error }
