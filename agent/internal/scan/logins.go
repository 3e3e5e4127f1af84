package scan

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pialert/pialert/pkg/attack"
)

// logins are successes of one kind, user and source.
type logins struct {
	Success // the first, with the most that failed before one
	times   uint64
}

// together groups successes: a backup's logins of every five minutes are one row.
func together(successes []Success) (all []*logins) {
	type alike struct {
		kind, user, source string
		grave              bool
	}
	known := make(map[alike]*logins)
	for _, s := range successes {
		of := alike{s.Kind, s.User, s.Source, s.grave()}
		if known[of] == nil {
			known[of] = &logins{Success: s}
			all = append(all, known[of])
		}
		one := known[of]
		one.times++
		one.FailedBefore = max(one.FailedBefore, s.FailedBefore)
	}
	slices.SortStableFunc(all, func(a, b *logins) int { return b.rank() - a.rank() })
	return all
}

// rank says how much a success means. Who mistyped a password where he always logs in means little.
func (s *Success) rank() int {
	switch {
	case s.grave():
		return 2
	case s.FailedBefore > 0:
		return 1
	}
	return 0
}

func (s *Success) grave() bool { return s.Severity == attack.High.String() }

// after says what failed before a success, "" if nothing did.
func (s *Success) after() string {
	switch {
	case s.FailedBefore > 0:
		return "after " + counted(s.FailedBefore, "failed attempt")
	case s.grave():
		return s.Reason // detection's own words
	}
	return ""
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
		if after := s.after(); after != "" {
			rest, look = rest+"  "+after, alarm
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
