package animate_test

import (
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/animate"
	"github.com/pialert/pialert/pkg/attack"
)

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
