package notice

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pialert/pialert/display/internal/notice/channel"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/plural"
)

// maxDigest bounds the span of a digest: after a longer absence, and after a clock that was wrong, it
// tells of the last days.
const maxDigest = 8 * 24 * time.Hour

// digestDue says which span a digest has to tell of now, if any.
func (p *planner) digestDue(r *rule, now time.Time) (from, to time.Time, due bool) {
	k := p.state[r.key]
	local := now.In(p.zone)
	if k.Digest.After(now) { // the clock was ahead
		k.Digest = now
	}
	to = r.Digest.At.on(local)
	if to.After(now) || !k.Digest.Before(to) {
		return from, to, false
	}
	if len(r.Digest.Days) > 0 && !slices.ContainsFunc(r.Digest.Days, func(day string) bool { return weekdays[day] == local.Weekday() }) {
		return from, to, false
	}
	from = k.Digest
	if from.Before(to.Add(-maxDigest)) {
		from = to.Add(-maxDigest)
	}
	if first := to.AddDate(0, 0, -1); from.After(first) { // the first one tells of a whole day
		from = first
	}
	return from, to, true
}

// digests writes those that are due and notes that they were sent.
func (p *planner) digests(ctx context.Context, summary func(ctx context.Context, from, to time.Time) (Summary, error), now time.Time) (all []planned, err error) {
	for i := range p.rules {
		r := &p.rules[i]
		if r.Digest == nil {
			continue
		}
		from, to, due := p.digestDue(r, now)
		if !due {
			continue
		}
		s, err := summary(ctx, from, to)
		if err != nil {
			return all, fmt.Errorf("cannot write a digest: %w", err)
		}
		p.state[r.key].Digest = to
		if s.Attempts > 0 || len(s.Lines) > 0 || r.Digest.Empty {
			all = append(all, planned{r.To, digest(s, from.In(p.zone), to.In(p.zone), p.config.Link)})
		}
	}
	return all, nil
}

// digest writes what happened in a span.
func digest(s Summary, from, to time.Time, link string) channel.Message {
	m := channel.Message{At: to, Severity: attack.Info, Link: link, Lines: slices.Clone(s.Lines), Tables: s.Tables}
	span := fmt.Sprintf("from %s to %s", from.Format("Mon 15:04"), to.Format("Mon 15:04"))
	m.Subject = plural.Count(s.Attempts, "attempt") + " " + span
	if s.Attempts == 0 {
		m.Subject = "A quiet time: no attempts " + span
	}
	if s.Attempts > 0 && len(s.Hours) > 1 {
		m.Bars = &channel.Bars{From: from, Step: time.Hour, Counts: s.Hours}
		busiest := slices.Index(s.Hours, slices.Max(s.Hours))
		at := from.Add(time.Duration(busiest) * time.Hour)
		m.Lines = append(m.Lines, fmt.Sprintf("The busiest hour began at %s, with %d.", at.Format("15:04"), s.Hours[busiest]))
	}
	if len(m.Lines) == 0 {
		m.Lines = []string{strings.TrimSuffix(m.Subject, ".") + "."}
	}
	return m
}

// preview writes the digest of the day until now, as a rule would send it.
func preview(ctx context.Context, c Config, around Around, zone *time.Location, now time.Time) (channel.Message, error) {
	from := now.AddDate(0, 0, -1)
	s, err := around.Summary(ctx, from, now)
	if err != nil {
		return channel.Message{}, err
	}
	return digest(s, from.In(zone), now.In(zone), c.Link), nil
}
