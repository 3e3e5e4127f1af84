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

// What no lamp collects sweeps in pure white, on bright eyes, and leaves nothing: no LED stays lit, and the digits keep what they had.
func TestAWarningSweepsWhite(t *testing.T) {
	t.Parallel()
	scene := newScene(t)
	before := scene.Frame(noon)
	scene.Warn(noon)
	for _, led := range []int{2, 5} {
		if p := scene.Frame(after(2 * 32 * ms)).Pixels[led]; p.R != 255 || p.G != 255 || p.B != 255 {
			t.Errorf("LED %d is %v, want white", led, p)
		}
	}
	play(t, scene, after(2*32*ms), 10*time.Second, func(f animate.Frame) {
		if f.Digits != before.Digits {
			t.Fatalf("the digits are %v, were %v", f.Digits, before.Digits)
		}
	})
	if rest := scene.Frame(after(time.Minute)); rest != before {
		t.Errorf("%v stays, want %v", rest, before)
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
