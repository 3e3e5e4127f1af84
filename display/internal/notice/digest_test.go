package notice

import (
	"context"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/pialert/pialert/display/internal/notice/channel"
)

// morning is a planner with one digest at 07:30 in Berlin.
func morning(t *testing.T, started time.Time, days ...string) *planner {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	c := Defaults()
	c.Channels = []ChannelConfig{{Name: "mail", Webhook: &Webhook{URL: "https://hooks.example.org/"}}}
	c.Rules = []RuleConfig{{To: []string{"mail"}, Digest: &Digest{At: 7*60 + 30, Days: days}}}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return newPlanner(c, zone, nil, nil, started)
}

// told lets time pass in steps and returns the spans that digests told of, in UTC.
func told(t *testing.T, p *planner, from, to time.Time, step time.Duration) (spans []string) {
	t.Helper()
	summary := func(_ context.Context, from, to time.Time) (Summary, error) {
		const form = "01-02 15:04"
		spans = append(spans, from.UTC().Format(form)+" to "+to.UTC().Format(form))
		return Summary{Attempts: 1}, nil
	}
	for now := from; !now.After(to); now = now.Add(step) {
		if _, err := p.digests(t.Context(), summary, now); err != nil {
			t.Fatal(err)
		}
	}
	return spans
}

func wantSpans(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("digests of\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// In Germany clocks went back on 25 October 2026 and forward on 29 March 2026, both at 01:00 UTC.
func TestDigestsOverTheChangeOfTheClock(t *testing.T) {
	start := time.Date(2026, 10, 23, 10, 0, 0, 0, time.UTC)
	wantSpans(t, told(t, morning(t, start), start, start.AddDate(0, 0, 3), time.Minute),
		"10-23 05:30 to 10-24 05:30", "10-24 05:30 to 10-25 06:30", "10-25 06:30 to 10-26 06:30")
	start = time.Date(2026, 3, 27, 10, 0, 0, 0, time.UTC)
	wantSpans(t, told(t, morning(t, start), start, start.AddDate(0, 0, 3), time.Minute),
		"03-27 06:30 to 03-28 06:30", "03-28 06:30 to 03-29 05:30", "03-29 05:30 to 03-30 05:30")
}

func TestDigestsOnSomeDays(t *testing.T) {
	start := time.Date(2026, 11, 19, 12, 0, 0, 0, time.UTC) // a Thursday
	wantSpans(t, told(t, morning(t, start, "mon", "fri"), start, start.AddDate(0, 0, 5), time.Minute),
		"11-19 06:30 to 11-20 06:30", "11-20 06:30 to 11-23 06:30")
}

// A clock that jumps ahead for a while and back makes one odd digest, and loses none after it.
func TestDigestsOverAClockThatJumps(t *testing.T) {
	start := time.Date(2026, 11, 19, 12, 0, 0, 0, time.UTC)
	p := morning(t, start)
	if spans := told(t, p, start.AddDate(73, 0, 0), start.AddDate(73, 0, 0), time.Hour); len(spans) != 1 {
		t.Errorf("in 2099 digests of %q", spans)
	}
	wantSpans(t, told(t, p, start, start.AddDate(0, 0, 1), time.Minute), "11-19 06:30 to 11-20 06:30")
}

func TestEmptyNights(t *testing.T) {
	start := time.Date(2026, 11, 19, 12, 0, 0, 0, time.UTC)
	nothing := func(context.Context, time.Time, time.Time) (Summary, error) { return Summary{}, nil }
	for _, empty := range []bool{false, true} {
		p := morning(t, start)
		p.rules[0].Digest.Empty = empty
		all, err := p.digests(t.Context(), nothing, start.AddDate(0, 0, 1))
		if err != nil {
			t.Fatal(err)
		}
		if !empty && len(all) != 0 {
			t.Errorf("told %+v", all)
		}
		if empty && (len(all) != 1 || all[0].message.Subject != "A quiet time: no attempts from Thu 07:30 to Fri 07:30") {
			t.Errorf("told %+v", all)
		}
	}
}

func TestDigest(t *testing.T) {
	from := time.Date(2026, 11, 20, 7, 30, 0, 0, time.UTC)
	m := digest(Summary{
		Attempts: 1633, Hours: []uint64{0, 1600, 33}, Lines: []string{"Nobody got in."},
		Tables: []channel.Table{{Title: "Sources", Rows: []channel.Row{{Name: "203.0.113.7", Count: 1600}}}},
	}, from, from.AddDate(0, 0, 1), "https://pi.example.org/")
	want := `Nobody got in.
The busiest hour began at 08:30, with 1600.

Sources
    1600  203.0.113.7

07:30 ·█▁ 10:30

https://pi.example.org/
`
	if m.Subject != "1633 attempts from Fri 07:30 to Sat 07:30" || m.Text() != want {
		t.Errorf("%s\n%s\nwant\n%s", m.Subject, m.Text(), want)
	}
}
