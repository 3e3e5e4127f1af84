package animate_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/animate"
	"github.com/pialert/pialert/pkg/attack"
)

// noon is a full minute, so that nothing happens to the clock for a while.
var noon = time.Date(2026, time.November, 20, 12, 0, 0, 0, time.UTC)

// The lamps of the tests: pure colours, so that a channel tells the lamp.
const red, blue, green = 0, 1, 2

var lamps = []animate.Lamp{
	red:   {Color: animate.RGB{R: 255}, LED: 0},
	blue:  {Color: animate.RGB{B: 255}, LED: 2},
	green: {Color: animate.RGB{G: 255}, LED: 6},
}

func newScene(t testing.TB, change ...func(*animate.Config)) *animate.Scene {
	t.Helper()
	cfg := animate.Defaults()
	cfg.Zone = "UTC"
	for _, do := range change {
		do(&cfg)
	}
	scene, err := animate.New(lamps, cfg, noon)
	if err != nil {
		t.Fatal(err)
	}
	return scene
}

func after(d time.Duration) time.Time { return noon.Add(d) }

const ms = time.Millisecond

// brightest returns the LED that emits most.
func brightest(f animate.Frame) (led int) {
	most := -1
	for i, p := range f.Pixels {
		if sum := (int(p.R) + int(p.G) + int(p.B)) * int(p.Brightness); sum > most {
			led, most = i, sum
		}
	}
	return led
}

// play looks at every millisecond until nothing moves any more and returns how long that took.
// It fails if it takes longer than a limit.
func play(t *testing.T, scene *animate.Scene, from time.Time, limit time.Duration, look func(animate.Frame)) time.Duration {
	t.Helper()
	for now := from; now.Before(from.Add(limit)); now = now.Add(ms) {
		look(scene.Frame(now))
		if scene.NextChange(now).Sub(now) > 100*ms {
			return now.Sub(from)
		}
	}
	t.Fatalf("still moving after %v", limit)
	return 0
}

func TestTheEyeGoesThereAndBackAndRests(t *testing.T) {
	scene := newScene(t)
	scene.Add(red, 1, attack.Medium, true, noon)
	scene.SetTotals([]uint64{17}, 17)
	var path []int // LEDs that were the brightest, one after the other
	play(t, scene, noon, time.Second, func(frame animate.Frame) {
		frame.Pixels[0] = animate.Pixel{} // where the lamp rests, and flashes
		led := brightest(frame)
		if led > 0 && (len(path) == 0 || path[len(path)-1] != led) {
			path = append(path, led)
		}
	})
	want := []int{1, 2, 3, 4, 5, 6, 7, 6, 5, 4, 3, 2, 1}
	if len(path) != len(want) {
		t.Fatalf("the eye went %v", path)
	}
	for i := range want {
		if path[i] != want[i] {
			t.Fatalf("the eye went %v", path)
		}
	}
	frame := scene.Frame(after(time.Hour))
	for led, p := range frame.Pixels {
		if lit := p.R > 0; lit != (led == 0) || p.G > 0 || p.B > 0 {
			t.Errorf("LED %d rests as %+v", led, p)
		}
	}
	if got := show(frame.Digits.Cells); got != "  17" {
		t.Errorf("the digits rest at %q", got)
	}
}

func TestTheEyeHasASoftTail(t *testing.T) {
	scene := newScene(t)
	scene.Add(red, 1, attack.Medium, true, noon)
	p := scene.Frame(after(4 * 32 * ms)).Pixels // the eye stands on LED 4
	if p[4].R != 255 {
		t.Errorf("the eye is %+v", p[4])
	}
	if !(p[4].R > p[3].R && p[3].R > p[2].R && p[2].R > p[1].R && p[1].R > 0 && p[5].R > 0 && p[5].R < p[3].R && p[6].R == 0) {
		t.Errorf("the tail is not soft: %v", p)
	}
}

func TestAnEventIsInTheNextFrame(t *testing.T) {
	totals := []uint64{5, 5, 5}
	tests := map[string]func(*animate.Scene) time.Time{
		"idle":       func(*animate.Scene) time.Time { return after(time.Second) },
		"restarting": func(s *animate.Scene) time.Time { s.Start(noon); return after(250 * ms) },
		"waiting":    func(s *animate.Scene) time.Time { s.SetWaiting(true); return after(time.Second) },
		"lost":       func(s *animate.Scene) time.Time { s.SetLost(blue, true); return after(time.Second) },
		"the same lamp sweeps": func(s *animate.Scene) time.Time {
			s.Add(red, 1, attack.Medium, true, noon)
			return after(250 * ms)
		},
		"another lamp sweeps": func(s *animate.Scene) time.Time {
			s.Add(blue, 1, attack.Medium, true, noon)
			return after(250 * ms)
		},
		"everything waits": func(s *animate.Scene) time.Time {
			for lamp := range lamps {
				s.Add(lamp, 100, attack.High, true, noon)
			}
			return after(50 * ms)
		},
	}
	for _, sweep := range []bool{true, false} {
		for name, prepare := range tests {
			t.Run(name, func(t *testing.T) {
				scene := newScene(t)
				scene.SetTotals(totals, 15)
				now := prepare(scene)
				before := scene.Frame(now)
				scene.Add(red, 1, attack.Low, sweep, now)
				scene.SetTotals([]uint64{6, 5, 5}, 16)
				if scene.Frame(now) == before {
					t.Errorf("sweep %v: the frame did not change", sweep)
				}
			})
		}
	}
}

func TestAnEventShowsThroughAnotherLampsSweep(t *testing.T) {
	for at := time.Duration(0); at < 700*ms; at += ms {
		scene := newScene(t)
		scene.SetTotals([]uint64{5, 5, 5}, 15)
		scene.Add(red, 1, attack.High, true, noon)
		before := scene.Frame(after(at))
		scene.Add(green, 1, attack.Info, false, after(at))
		if frame := scene.Frame(after(at)); frame == before {
			t.Fatalf("%v into the sweep the event does not show", at)
		}
	}
}

func TestEveryLampGetsItsTurnAndItsTotal(t *testing.T) {
	scene := newScene(t)
	for lamp := range lamps {
		scene.Add(lamp, 1, attack.Medium, true, noon)
	}
	scene.SetTotals([]uint64{11, 22, 33}, 66)
	seen := map[string]bool{}
	play(t, scene, noon, 3*time.Second, func(frame animate.Frame) {
		p := frame.Pixels[5] // no lamp rests there
		digits := show(frame.Digits.Cells)
		seen[digits] = true
		for total, channel := range map[string]uint8{"  11": p.R, "  22": p.B, "  33": p.G} {
			if channel == 255 && digits != total {
				t.Fatalf("LED 5 is %+v and the digits are %q", p, digits)
			}
		}
	})
	if !seen["  11"] || !seen["  22"] || !seen["  33"] || len(seen) != 3 {
		t.Errorf("the digits had %v", seen)
	}
}

func TestManyEventsMergeIntoFasterAndBrighterSweeps(t *testing.T) {
	length := func(events int) (time.Duration, uint8) {
		scene := newScene(t)
		for range events {
			scene.Add(red, 1, attack.Medium, true, noon)
		}
		var most uint8
		long := play(t, scene, noon, 5*time.Second, func(frame animate.Frame) {
			most = max(most, frame.Pixels[4].Brightness)
		})
		return long, most
	}
	one, dim := length(1)
	three, _ := length(3)
	many, bright := length(1000)
	if three < one*3/2 {
		t.Errorf("three events took %v, one %v: they did not queue", three, one)
	}
	if many > three {
		t.Errorf("1000 events took %v, three %v: they did not merge", many, three)
	}
	if bright <= dim {
		t.Errorf("1000 events are as bright (%d) as one (%d)", bright, dim)
	}
}

func TestAFloodOnAllLampsStaysBounded(t *testing.T) {
	scene := newScene(t)
	now := noon
	for range 100_000 {
		for lamp := range lamps {
			scene.Add(lamp, 3, attack.High, true, now)
		}
		now = now.Add(100 * time.Microsecond)
	}
	play(t, scene, now, 3*time.Second, func(animate.Frame) {})
}

func TestSeverityShows(t *testing.T) {
	at := func(severity attack.Severity) [animate.Pixels]animate.Pixel {
		scene := newScene(t)
		scene.Add(red, 1, severity, true, noon)
		return scene.Frame(after(2 * 32 * ms)).Pixels // the eye stands on LED 2
	}
	info, low, medium, high := at(attack.Info), at(attack.Low), at(attack.Medium), at(attack.High)
	if !(info[2].R < low[2].R && low[2].R < medium[2].R) {
		t.Errorf("the eyes are %v, %v, %v", info[2], low[2], medium[2])
	}
	if medium[2].G > 0 || medium[5].R > 0 {
		t.Errorf("a failed password looks like an exploit: %v", medium)
	}
	if high[2].G != 255 || high[2].B != 255 || high[5] != high[2] || high[2].Brightness <= medium[2].Brightness {
		t.Errorf("an exploit is no pair of white hot eyes: %v", high)
	}
}

func TestALostAgentsLampBreathesWhite(t *testing.T) {
	scene := newScene(t)
	scene.SetTotals([]uint64{5, 5, 5}, 15)
	scene.SetLost(blue, true)
	least, most := uint8(255), uint8(0)
	for now := noon; now.Before(after(4 * time.Second)); now = scene.NextChange(now) {
		p := scene.Frame(now).Pixels[2]
		if p.R != p.B || p.G != p.B {
			t.Fatalf("not white: %+v", p)
		}
		least, most = min(least, p.B), max(most, p.B)
	}
	if least > 2 || most < 140 {
		t.Errorf("it breathes from %d to %d", least, most)
	}
	scene.SetLost(blue, false)
	if p := scene.Frame(after(5 * time.Second)).Pixels[2]; p.R != 0 || p.B == 0 {
		t.Errorf("heard again, the lamp rests as %+v", p)
	}
}

func TestStartUpShowsEachLEDAndDigitOnce(t *testing.T) {
	scene := newScene(t)
	scene.Start(noon)
	var leds, cells [8]int
	var shown animate.Frame
	for now := noon; now.Before(after(800 * ms)); now = now.Add(ms) {
		frame := scene.Frame(now)
		if frame == shown {
			continue
		}
		shown = frame
		for i, p := range frame.Pixels {
			if p.Brightness > 0 {
				leds[i]++
			}
		}
		for i, cell := range frame.Digits.Cells {
			if cell == 0x7f {
				cells[i]++
			}
		}
		if frame.Digits.Colon {
			cells[4]++
		}
	}
	if want := [8]int{1, 1, 1, 1, 1, 1, 1, 1}; leds != want {
		t.Errorf("LEDs were lit %v times", leds)
	}
	if want := [8]int{2, 2, 2, 2, 4}; cells != want {
		t.Errorf("digits and the colon were lit %v times", cells)
	}
	if got := show(scene.Frame(after(time.Second)).Digits.Cells); got != " Hi " {
		t.Errorf("it greets with %q", got)
	}
}

func TestIdle(t *testing.T) {
	totals := []uint64{12, 3, 0}
	late := after(20 * time.Second)
	tests := map[string]struct {
		want  string
		colon bool
	}{
		"last":  {"   3", false},
		"total": {"  15", false},
		"clock": {"1300", true},
		"off":   {"    ", false},
	}
	for idle, test := range tests {
		t.Run(idle, func(t *testing.T) {
			scene := newScene(t, func(c *animate.Config) { c.Idle, c.Zone = idle, "Africa/Lagos" })
			scene.Add(blue, 1, attack.Medium, true, noon)
			scene.SetTotals(totals, 15)
			if got := show(scene.Frame(after(5 * time.Second)).Digits.Cells); got != "   3" {
				t.Errorf("soon after the event the digits show %q", got)
			}
			digits := scene.Frame(late).Digits
			if got := show(digits.Cells); got != test.want || digits.Colon != test.colon {
				t.Errorf("idle, the digits show %q, colon %v", got, digits.Colon)
			}
			if scene.Frame(late.Add(time.Second)).Digits.Colon {
				t.Error("the colon does not blink")
			}
		})
	}
}

func TestBeforeAnyEventTheGrandTotalShows(t *testing.T) {
	scene := newScene(t)
	scene.SetTotals([]uint64{12, 0, 0}, 15)
	frame := scene.Frame(noon)
	if got := show(frame.Digits.Cells); got != "  15" {
		t.Errorf("the digits show %q", got)
	}
	if frame.Pixels[0].R == 0 || frame.Pixels[2].B != 0 {
		t.Errorf("resting LEDs are not those with a total: %v", frame.Pixels)
	}
}

func TestALampOfTodayGoesOutAtMidnight(t *testing.T) {
	scene := newScene(t)
	scene.Add(red, 1, attack.Medium, true, noon)
	scene.SetTotals([]uint64{1, 0, 0}, 1)
	scene.SetTotals([]uint64{0, 0, 0}, 1)
	if p := scene.Frame(after(time.Minute)).Pixels[0]; p != (animate.Pixel{}) {
		t.Errorf("it rests as %+v", p)
	}
}

func TestNightDimsAndDarkens(t *testing.T) {
	scene := newScene(t, func(c *animate.Config) {
		c.Night = []animate.Hours{
			{From: "23:30", To: "06:00"},
			{From: "20:00", To: "08:00", Brightness: animate.Brightness{Lights: 2, Digits: 1}},
		}
	})
	scene.SetTotals([]uint64{1}, 1)
	for clock, want := range map[string][2]uint8{
		"12:00": {7, 3}, "19:59": {7, 3}, "20:00": {2, 1}, "23:29": {2, 1}, "23:30": {0, 0},
		"02:00": {0, 0}, "05:59": {0, 0}, "06:00": {2, 1}, "08:00": {7, 3},
	} {
		at, err := time.Parse("2006-01-02 15:04", "2026-11-21 "+clock)
		if err != nil {
			t.Fatal(err)
		}
		frame := scene.Frame(at)
		if got := [2]uint8{frame.Pixels[0].Brightness, frame.Digits.Brightness}; got != want {
			t.Errorf("at %s the brightness is %v, want %v", clock, got, want)
		}
		if want == [2]uint8{} && frame != (animate.Frame{}) {
			t.Errorf("at %s it is not dark: %+v", clock, frame)
		}
	}
}

func TestShowAnswersAlsoInTheDark(t *testing.T) {
	scene := newScene(t)
	scene.SetTotals([]uint64{1, 22, 333}, 356)
	scene.SetDark(true)
	if frame := scene.Frame(noon); frame != (animate.Frame{}) {
		t.Errorf("lights off is %+v", frame)
	}
	for i, want := range []string{"   1", "  22", " 333", "   1"} {
		now := after(time.Duration(i) * time.Second)
		lamp := scene.ShowNext(now)
		frame := scene.Frame(now)
		if got := show(frame.Digits.Cells); lamp != i%3 || got != want {
			t.Errorf("press %d shows lamp %d with %q", i, lamp, got)
		}
		for led, p := range frame.Pixels {
			if p.Brightness == 0 || (p.R > 0) != (lamp == red) || (p.B > 0) != (lamp == blue) {
				t.Errorf("lamp %d: LED %d is %+v", lamp, led, p)
			}
		}
	}
	if frame := scene.Frame(after(time.Minute)); frame != (animate.Frame{}) {
		t.Errorf("after that it is %+v", frame)
	}
	scene.SetDark(false)
	if scene.Frame(after(time.Minute)) == (animate.Frame{}) {
		t.Error("lights on is dark")
	}
}

func TestHoldFillsTheLEDs(t *testing.T) {
	scene := newScene(t)
	scene.Hold(4*time.Second, noon)
	for quarter, want := range []int{0, 2, 4, 6, 8, 8} {
		frame := scene.Frame(after(time.Duration(quarter) * time.Second))
		full := 0
		for _, p := range frame.Pixels {
			if p.R == 255 {
				full++
			}
		}
		if full != want {
			t.Errorf("after %d s %d LEDs are full", quarter, full)
		}
	}
	scene.Release()
	if p := scene.Frame(after(time.Second)).Pixels; p != [8]animate.Pixel{} {
		t.Errorf("released, they are %v", p)
	}
}

func TestWaitingAndWords(t *testing.T) {
	scene := newScene(t)
	scene.SetWaiting(true)
	places := map[int]bool{}
	for now := noon; now.Before(after(10 * time.Second)); now = scene.NextChange(now) {
		frame := scene.Frame(now)
		places[brightest(frame)] = true
		if got := show(frame.Digits.Cells); got != "----" {
			t.Fatalf("waiting, the digits are %q", got)
		}
	}
	if len(places) != animate.Pixels {
		t.Errorf("the dot was at %v", places)
	}
	if err := scene.Say("FULL", time.Second, noon); err != nil {
		t.Error(err)
	}
	if got := scene.Frame(noon).Digits.Cells; show(got) != "FULL" {
		t.Errorf("it says %q", show(got))
	}
	if err := scene.Say("WRONG", time.Second, noon); err == nil {
		t.Error("it says what it cannot show")
	}
}

// TestTheFrameStaysUntilNextChange does anything at any time, and looks at every millisecond.
func TestTheFrameStaysUntilNextChange(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		scene := newScene(t, func(c *animate.Config) {
			c.Idle = []string{"last", "total", "clock", "off"}[random.IntN(4)]
			c.Night = []animate.Hours{{From: "12:00", To: "12:01"}}
			c.Hold = 0
		})
		now := after(55 * time.Second)
		frame, until := scene.Frame(now), scene.NextChange(now)
		for range 5000 {
			now = now.Add(ms)
			if random.IntN(400) == 0 {
				disturb(scene, random, now)
				frame, until = scene.Frame(now), scene.NextChange(now)
			}
			if !now.Before(until) {
				frame, until = scene.Frame(now), scene.NextChange(now)
			}
			if got := scene.Frame(now); got != frame && until.Sub(now) > time.Second/60 {
				t.Fatalf("seed %d: at %v the frame changed before %v:\n%v\n%v", seed, now, until, frame, got)
			}
		}
	}
}

// disturb does anything that can be done to a scene.
func disturb(scene *animate.Scene, random *rand.Rand, now time.Time) {
	lamp, yes := random.IntN(5)-1, random.IntN(2) == 0
	switch random.IntN(10) {
	case 0:
		scene.Start(now)
	case 1:
		scene.SetLost(lamp, yes)
	case 2:
		scene.SetWaiting(yes)
	case 3:
		scene.SetDark(yes)
	case 4:
		scene.ShowNext(now)
	case 5:
		scene.Hold(time.Second, now)
	case 6:
		scene.Release()
	case 7:
		scene.SetTotals([]uint64{random.Uint64N(3), random.Uint64(), 9999}, random.Uint64())
	default:
		scene.Add(lamp, random.IntN(20)-1, attack.Severity(random.IntN(6)), yes, now)
	}
}

func TestNothingToDoWhileNothingMoves(t *testing.T) {
	scene := newScene(t)
	scene.SetTotals([]uint64{17}, 17)
	scene.Add(red, 1, attack.Medium, true, noon)
	rest := after(30 * time.Second)
	if next := scene.NextChange(rest); !next.Equal(after(time.Minute)) {
		t.Errorf("at rest the next change is %v away", next.Sub(rest))
	}
}

func TestDrawingAllocatesNothing(t *testing.T) {
	scene := newScene(t, func(c *animate.Config) {
		c.Idle, c.Night = "clock", []animate.Hours{{From: "22:00", To: "06:00"}}
	})
	now := noon
	if n := testing.AllocsPerRun(1000, func() {
		now = now.Add(7 * ms)
		scene.Add(int(now.UnixMilli()%3), 2, attack.High, true, now)
		scene.Frame(now)
		scene.NextChange(now)
	}); n != 0 {
		t.Errorf("an event's frame allocates %v times", n)
	}
}

func TestConfigureKeepsWhatItCan(t *testing.T) {
	scene := newScene(t)
	scene.SetTotals([]uint64{1, 2, 3}, 6)
	scene.Add(red, 1, attack.Medium, true, noon)
	moved := append([]animate.Lamp(nil), lamps...)
	moved[red].LED = 7
	if err := scene.Configure(moved, animate.Defaults()); err != nil {
		t.Fatal(err)
	}
	if p := scene.Frame(after(time.Minute)).Pixels; p[7].R == 0 || p[0].R != 0 {
		t.Errorf("the lamp did not move: %v", p)
	}
	if err := scene.Configure(moved[:1], animate.Defaults()); err != nil {
		t.Fatal(err)
	}
	scene.Frame(after(time.Minute))
	if err := scene.Configure([]animate.Lamp{{LED: 8}}, animate.Defaults()); err == nil {
		t.Error("LED 8 was accepted")
	}
}

func BenchmarkFrame(b *testing.B) {
	scene := newScene(b)
	now := noon
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Second / 60)
		scene.Add(red, 1, attack.High, true, now)
		scene.Frame(now)
		scene.NextChange(now)
	}
}
