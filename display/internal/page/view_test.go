package page

import (
	"fmt"
	"net/url"
	"testing"
	"time"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	parsed, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func in(zone *time.Location) func() *time.Location { return func() *time.Location { return zone } }

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func TestRangesEndWithTheBarOfNow(t *testing.T) {
	now := at(t, "2026-11-20T18:04:30Z")
	for _, test := range []struct {
		name, zone  string
		bars        int
		first, last string // where the first bar begins and the last one ends
	}{
		{"90m", "UTC", 90, "2026-11-20T16:35:00Z", "2026-11-20T18:05:00Z"},
		{"24h", "UTC", 144, "2026-11-19T18:10:00Z", "2026-11-20T18:10:00Z"},
		{"7d", "UTC", 168, "2026-11-13T19:00:00Z", "2026-11-20T19:00:00Z"},
		{"90d", "UTC", 90, "2026-08-23T00:00:00Z", "2026-11-21T00:00:00Z"},
		// Hours are those of the clock on the wall, also where it is half an hour off.
		{"7d", "Asia/Kolkata", 168, "2026-11-13T18:30:00Z", "2026-11-20T18:30:00Z"},
		{"90d", "Asia/Kolkata", 90, "2026-08-22T18:30:00Z", "2026-11-20T18:30:00Z"},
	} {
		s := New(Options{Now: func() time.Time { return now }, Zone: in(zone(t, test.zone))})
		v, err := s.parseView(url.Values{"range": {test.name}}, "24h")
		if err != nil {
			t.Fatal(err)
		}
		bounds := v.bounds(s.options.Zone())
		if len(bounds) != test.bars+1 || !bounds[0].Equal(at(t, test.first)) || !bounds[len(bounds)-1].Equal(at(t, test.last)) {
			t.Errorf("%s in %s: %d bars from %v to %v, want %d from %s to %s", test.name, test.zone,
				len(bounds)-1, bounds[0].UTC(), bounds[len(bounds)-1].UTC(), test.bars, test.first, test.last)
		}
	}
}

// In Berlin, 29 March 2026 has 23 hours and 25 October 2026 has 25.
func TestADayIsAsLongAsTheClockSays(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	for now, want := range map[string]map[string]time.Duration{
		"2026-04-02T12:00:00+02:00": {"2026-03-28": 24 * time.Hour, "2026-03-29": 23 * time.Hour, "2026-03-30": 24 * time.Hour},
		"2026-11-02T12:00:00+01:00": {"2026-10-24": 24 * time.Hour, "2026-10-25": 25 * time.Hour, "2026-10-26": 24 * time.Hour},
	} {
		s := New(Options{Now: func() time.Time { return at(t, now) }, Zone: in(berlin)})
		v, err := s.parseView(url.Values{"range": {"90d"}}, "")
		if err != nil {
			t.Fatal(err)
		}
		bounds := v.bounds(berlin)
		long := map[string]time.Duration{}
		for i := range len(bounds) - 1 {
			long[bounds[i].Format(time.DateOnly)] = bounds[i+1].Sub(bounds[i])
		}
		for date, want := range want {
			if long[date] != want {
				t.Errorf("%s is %v long, want %v", date, long[date], want)
			}
		}
	}
}

func TestAViewIsWhatItsAddressSays(t *testing.T) {
	now := at(t, "2026-11-20T18:04:30Z")
	s := New(Options{Now: func() time.Time { return now }, Zone: in(time.UTC)})
	for _, query := range []string{
		"range=7d", "range=24h&by=agent", "agent=vps&kind=ssh_login&range=90m", "range=90d&source=2001%3Adb8%3A%3A%2F64",
		"from=2026-11-20T10%3A00%3A00Z&until=2026-11-20T11%3A00%3A00Z", "range=24h&user=%00%E2%80%AE%3Cb%3E%26",
	} {
		values, _ := url.ParseQuery(query)
		v, err := s.parseView(values, "24h")
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		again, _ := url.ParseQuery(v.Query()[1:])
		if again.Encode() != values.Encode() {
			t.Errorf("%s became %s", query, v.Query())
		}
	}
	for _, query := range []string{
		"range=1y", "kind=telepathy", "source=home", "from=yesterday", "from=2026-11-20T10:00:00Z&until=2026-11-20T09:00:00Z",
		"from=1999-01-01T00:00:00Z", "before=x", "agent=" + string(make([]byte, 300)),
	} {
		values, _ := url.ParseQuery(query)
		if _, err := s.parseView(values, "24h"); err == nil {
			t.Errorf("%.40s was accepted", query)
		}
	}
}

// What was dragged is shown as finely as the history can tell it, and never in too many bars.
func TestASpanOfOnesOwn(t *testing.T) {
	now := at(t, "2026-11-20T18:04:30Z")
	s := New(Options{Now: func() time.Time { return now }, Zone: in(time.UTC)})
	for _, test := range []struct {
		from, until string
		want        time.Duration
	}{
		{"2026-11-20T10:00:00Z", "2026-11-20T11:00:00Z", time.Minute},
		{"2026-11-20T00:00:00Z", "2026-11-20T11:00:00Z", 10 * time.Minute},
		{"2026-11-17T10:00:00Z", "2026-11-17T11:00:00Z", 10 * time.Minute}, // minutes are not kept that long
		{"2026-11-01T10:00:00Z", "2026-11-01T11:00:00Z", time.Hour},
		{"2026-11-10T00:00:00Z", "2026-11-20T00:00:00Z", time.Hour},
		{"2026-01-10T00:00:00Z", "2026-11-20T00:00:00Z", day},
	} {
		v, err := s.parseView(url.Values{"from": {test.from}, "until": {test.until}}, "24h")
		if err != nil {
			t.Fatal(err)
		}
		bounds := v.bounds(time.UTC)
		if v.step() != test.want || len(bounds) > maxBars+1 || bounds[0].After(v.From) || bounds[len(bounds)-1].Before(v.Until) {
			t.Errorf("%s to %s: %d bars of %v from %v to %v, want bars of %v", test.from, test.until,
				len(bounds)-1, v.step(), bounds[0], bounds[len(bounds)-1], test.want)
		}
	}
}

// Of a fleet's agents the first page lists those in trouble, then those that tell the most; the page of agents lists
// all, a hundred at a time.
func TestAFleetsAgents(t *testing.T) {
	var fleet []Agent
	for n := range 250 {
		fleet = append(fleet, Agent{Name: fmt.Sprintf("agent-%03d", n), Connected: n != 200, Silent: n == 100, Former: n == 7, Total: uint64(n % 50)})
	}
	few := linksOf(head{}, fleet)
	if few.All != 250 || len(few.Agents) != mostLinks || few.Agents[0].Name != "agent-100" || few.Agents[1].Name != "agent-200" || few.Agents[2].Total != 49 {
		t.Errorf("the first page lists %+v of %d", few.Agents, few.All)
	}
	if all := linksOf(head{}, fleet[:mostLinks]); all.All != 0 || len(all.Agents) != mostLinks || all.Agents[0].Name != "agent-000" {
		t.Errorf("the first page lists %+v of %d", all.Agents, all.All)
	}
	for page, want := range map[string]string{"": "agent-000", "2": "agent-100", "3": "agent-200"} {
		shown, pages, err := agentsOn(fleet, page)
		if err != nil || len(pages) != 3 || shown[0].Name != want || len(shown) > agentsLong {
			t.Errorf("page %q begins with %+v, of %+v, error %v", page, shown[0], pages, err)
		}
	}
	for _, page := range []string{"0", "4", "-1", "x"} {
		if _, _, err := agentsOn(fleet, page); err == nil {
			t.Errorf("there is a page %q", page)
		}
	}
	if shown, pages, err := agentsOn(nil, ""); err != nil || len(shown)+len(pages) != 0 {
		t.Errorf("of no agents there are %+v, %+v, error %v", shown, pages, err)
	}
}

// Of a source that was seen at some time of a day, only the day is told.
func TestWhenASourceWasSeen(t *testing.T) {
	v := sourcesView{head: head{zone: zone(t, "Asia/Kolkata")}}
	for at, want := range map[time.Time]string{
		at(t, "2026-11-19T18:30:00Z"): `<time datetime="2026-11-20T00:00:00+05:30" data-form="day">2026-11-20</time>`,
		at(t, "2026-11-20T00:00:00Z"): `<time datetime="2026-11-20T05:30:00+05:30" data-form="moment">2026-11-20 05:30</time>`,
		{}:                            "never",
	} {
		if got := string(v.Seen(at)); got != want {
			t.Errorf("%v: %s, want %s", at, got, want)
		}
	}
}
