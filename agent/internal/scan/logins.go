package scan

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// logins are successes of one kind, user and source.
type logins struct {
	Success // the first, with the most that failed before one
	times   uint64
}

// together groups successes: a backup's logins of every five minutes are one row.
func together(successes []Success) (all []*logins) {
	type alike struct{ kind, user, source string }
	known := make(map[alike]*logins)
	for _, s := range successes {
		of := alike{s.Kind, s.User, s.Source}
		if known[of] == nil {
			known[of] = &logins{Success: s}
			all = append(all, known[of])
		}
		one := known[of]
		one.times++
		one.FailedBefore = max(one.FailedBefore, s.FailedBefore)
	}
	slices.SortStableFunc(all, func(a, b *logins) int { return int(min(b.FailedBefore, 1)) - int(min(a.FailedBefore, 1)) })
	return all
}

// successes comes first: one of these may be the end of the story.
func (p *page) successes(r *Report) {
	if r.Successes == 0 {
		return
	}
	p.title(counted(r.Successes, "login") + " succeeded")
	shown := together(r.Accepted)
	names, sources, more := 0, 0, r.Successes
	shown = shown[:min(len(shown), maxShown)]
	for _, s := range shown {
		names, sources = max(names, len(quoted(s.User))), max(sources, len(quoted(s.Source)))
	}
	for _, s := range shown {
		text := fmt.Sprintf("  %s  %-*s  %-*s", s.Time.In(p.zone).Format(time.DateTime), names, quoted(s.User), sources, quoted(s.Source))
		look, rest := plain, ""
		if s.times > 1 {
			rest = "  ×" + grouped(s.times)
		}
		if s.FailedBefore > 0 {
			rest, look = rest+"  after "+counted(s.FailedBefore, "failed attempt"), alarm
		}
		if utf8.RuneCountInString(text+rest) > p.width { // what matters most is not to be cut
			p.line(look, strings.TrimRight(text, " "))
			text = "   "
		}
		p.line(look, strings.TrimRight(text+rest, " "))
		more -= s.times
	}
	if more > 0 {
		p.line(faint, "  and "+grouped(more)+" more")
	}
}
