package panel_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pialert/pialert/display/internal/animate"
	"github.com/pialert/pialert/display/internal/panel"
	"github.com/pialert/pialert/pkg/attack"
)

// counts are totals as a test sets them.
type counts struct {
	mu     sync.Mutex
	totals [animate.Pixels]uint64
}

func (c *counts) add(lamp int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.totals[lamp]++
}

func (c *counts) Totals(dst []uint64, _ time.Time) (grand uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	copy(dst, c.totals[:])
	for _, total := range c.totals {
		grand += total
	}
	return grand
}

// device records what is drawn on it, and when.
type device struct {
	mu     sync.Mutex
	pixels []picture[[animate.Pixels]animate.Pixel]
	digits []picture[animate.Digits]
	legend []uint64
	broken error
	block  chan struct{} // if not nil, drawing waits for it
}

type picture[T any] struct {
	at    time.Time
	shown T
}

func (d *device) Draw(pixels [animate.Pixels]animate.Pixel) error {
	if d.block != nil {
		<-d.block
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken != nil {
		return d.broken
	}
	d.pixels = append(d.pixels, picture[[animate.Pixels]animate.Pixel]{time.Now(), pixels})
	return nil
}

func (d *device) Show(digits animate.Digits) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken != nil {
		return d.broken
	}
	d.digits = append(d.digits, picture[animate.Digits]{time.Now(), digits})
	return nil
}

func (d *device) Totals(lamps []uint64, grand uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.legend = append(append([]uint64(nil), lamps...), grand)
}

// drawn returns the pictures of the LEDs so far, and lastDigits the last of the digits.
func (d *device) drawn() []picture[[animate.Pixels]animate.Pixel] {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.pixels)
}

func (d *device) lastDigits() picture[animate.Digits] {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.digits[len(d.digits)-1]
}

// count returns how many pictures were drawn so far.
func (d *device) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.pixels) + len(d.digits)
}

// told returns what the legend was told last.
func (d *device) told() []uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.legend
}

func (d *device) set(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken = err
}

// fixture is a panel that runs on a recording device until the test ends.
type fixture struct {
	*panel.Panel
	counts counts
	strip  device // the LEDs and the legend
	digits device
	log    bytes.Buffer
	stop   func()
}

// start runs a panel whose start-up is over.
func start(t *testing.T, change ...func(*animate.Config)) *fixture {
	t.Helper()
	cfg := animate.Defaults()
	cfg.Zone = "UTC"
	for _, do := range change {
		do(&cfg)
	}
	lamps := []animate.Lamp{{Color: animate.RGB{R: 255}, LED: 0}, {Color: animate.RGB{B: 255}, LED: 2}}
	scene, err := animate.New(lamps, cfg, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{}
	f.Panel = panel.New(scene, &f.counts,
		panel.Outputs{Strip: &f.strip, Digits: &f.digits, Legend: &f.strip}, slog.New(slog.NewTextHandler(&f.log, nil)))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- f.Run(ctx) }()
	f.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
	time.Sleep(5 * time.Second)
	synctest.Wait()
	return f
}

func (f *fixture) hit(lamp int) {
	f.counts.add(lamp)
	f.Add(lamp, attack.Medium, true)
}

func last[T any](pictures []picture[T]) picture[T] { return pictures[len(pictures)-1] }

func TestAnEventIsDrawnWhenItComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t)
		defer f.stop()
		before := len(f.strip.drawn())
		time.Sleep(3700 * time.Microsecond) // between any two ticks
		came := time.Now()
		f.hit(0)
		synctest.Wait()
		if drawn := f.strip.drawn(); len(drawn) != before+1 || !drawn[before].at.Equal(came) {
			t.Fatalf("%d pictures were drawn at the event's own time", len(drawn)-before)
		}
		if last := f.digits.lastDigits(); last.shown.Cells != animate.Total(1) || !last.at.Equal(came) {
			t.Errorf("the digits are %+v", last)
		}
		if f.strip.told()[0] != 1 || f.strip.told()[animate.Pixels] != 1 {
			t.Errorf("the legend was told %v", f.strip.told())
		}
	})
}

func TestAWarningIsDrawnWhenItComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t)
		defer f.stop()
		before := len(f.strip.drawn())
		came := time.Now()
		f.Warn()
		synctest.Wait()
		if drawn := f.strip.drawn(); len(drawn) != before+1 || !drawn[before].at.Equal(came) {
			t.Errorf("%d pictures were drawn at the warning's own time", len(drawn)-before)
		}
	})
}

func TestASweepIsDrawnSixtyTimesASecondAndThenNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t)
		defer f.stop()
		came, before := time.Now(), len(f.strip.drawn())
		f.hit(0)
		time.Sleep(300 * time.Millisecond)
		synctest.Wait()
		if drawn := len(f.strip.drawn()) - before; drawn < 18 || drawn > 20 {
			t.Errorf("%d pictures in 0.3 s", drawn)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		pictures := f.strip.drawn()
		if at := last(pictures).at; at.Sub(came) > time.Second {
			t.Errorf("a picture was drawn %v after the only event", at.Sub(came))
		}
		for i := 1; i < len(pictures); i++ {
			if pictures[i].shown == pictures[i-1].shown {
				t.Errorf("picture %d was sent twice", i)
			}
		}
		if frames := f.Stats().Frames; frames < uint64(len(pictures)) {
			t.Errorf("%d frames are counted, %d were drawn", frames, len(pictures))
		}
	})
}

func TestNobodyWaitsForADriverThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t)
		f.strip.block = make(chan struct{})
		for range 100_000 {
			f.hit(0)
			f.hit(1)
		}
		f.Show(1)
		f.Stats()
		if !f.Alive() {
			t.Error("it is given up at once")
		}
		time.Sleep(time.Minute)
		if f.Alive() {
			t.Error("nobody can see that it hangs")
		}
		close(f.strip.block)
		time.Sleep(20 * time.Second)
		if !f.Alive() {
			t.Error("it is given up though it goes on")
		}
		f.stop()
		if f.strip.told()[0] != 100_000 || f.strip.told()[1] != 100_000 {
			t.Errorf("the totals shown are %v", f.strip.told())
		}
	})
}

func TestTotalsAreExactWhoeverReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t)
		var group sync.WaitGroup
		for worker := range 8 {
			group.Go(func() {
				for range 2000 {
					f.hit(worker % 2)
					f.SetLost(0, worker == 0)
					f.Stats()
				}
			})
		}
		group.Wait()
		time.Sleep(time.Minute)
		f.stop()
		if told := f.strip.told(); told[0] != 8000 || told[1] != 8000 || told[animate.Pixels] != 16000 {
			t.Errorf("the totals shown are %v", told)
		}
	})
}

func TestAFailureIsReportedOnceAndItsEndToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t)
		defer f.stop()
		f.digits.set(errors.New("tm1637: no acknowledgement"))
		for range 100 {
			f.hit(0)
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		if got := strings.Count(f.log.String(), "no acknowledgement"); got != 1 {
			t.Errorf("the failure was logged %d times:\n%s", got, f.log.String())
		}
		if stats := f.Stats(); stats.DigitsError == "" || stats.StripError != "" || stats.Failures < 2 || stats.Failures > 3 {
			t.Errorf("during the failure: %+v", stats)
		}
		if at := last(f.strip.drawn()).at; time.Since(at) > time.Second {
			t.Error("the LEDs did not go on")
		}

		f.digits.set(nil)
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if got := strings.Count(f.log.String(), "again"); got != 2 { // "trying again", "drawn on again"
			t.Errorf("the recovery was not logged once:\n%s", f.log.String())
		}
		if last := f.digits.lastDigits().shown; last.Cells != animate.Total(100) {
			t.Errorf("after it the digits are %+v", last)
		}
		if stats := f.Stats(); stats.DigitsError != "" {
			t.Errorf("after it: %+v", stats)
		}
	})
}

func TestItEndsDarkOrAsTheOwnerLikes(t *testing.T) {
	for name, exit := range map[string]animate.Picture{
		"dark":      {},
		"a picture": {Lights: []string{"#400000"}, Digits: "Pi"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := start(t, func(c *animate.Config) { c.Exit = exit })
				f.hit(0)
				time.Sleep(100 * time.Millisecond)
				f.stop()
				pixels := last(f.strip.drawn()).shown
				digits := f.digits.lastDigits().shown
				word, _ := animate.Word(exit.Digits)
				if (pixels != [animate.Pixels]animate.Pixel{}) != (exit.Lights != nil) || digits.Cells != word {
					t.Errorf("it ends with %v and %v", pixels, digits)
				}
			})
		})
	}
}

func TestControls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t)
		defer f.stop()
		for range 7 {
			f.counts.add(1)
		}
		f.Refresh()
		lit := func() (leds int, digits animate.Digits) {
			synctest.Wait()
			for _, p := range last(f.strip.drawn()).shown {
				if p.Brightness > 0 {
					leds++
				}
			}
			return leds, f.digits.lastDigits().shown
		}
		expect := func(what string, leds int, cells [animate.Cells]uint8) {
			t.Helper()
			if gotLEDs, got := lit(); gotLEDs != leds || got.Cells != cells {
				t.Errorf("%s: %d LEDs and %+v", what, gotLEDs, got)
			}
		}
		word := func(text string) [animate.Cells]uint8 { cells, _ := animate.Word(text); return cells }

		expect("at rest", 1, animate.Total(7))
		if on := f.ToggleLights(); on {
			t.Error("the first press switched the lights on")
		}
		expect("off", 0, [animate.Cells]uint8{})
		if f.ShowNext() != 0 || f.ShowNext() != 1 {
			t.Error("the button does not go from lamp to lamp")
		}
		expect("shown", 8, animate.Total(7))
		time.Sleep(6 * time.Second)
		expect("off again", 0, [animate.Cells]uint8{})
		f.SetLights(true)
		expect("on", 1, animate.Total(7))
		f.SetLost(0, true)
		f.SetWaiting(true)
		time.Sleep(time.Second)
		expect("lost and waiting", 3, word("----"))
		f.SetLost(0, false)
		f.SetWaiting(false)
		if err := f.Say("Err", time.Second); err != nil {
			t.Error(err)
		}
		expect("a word", 1, word("Err"))
		f.Hold(time.Second)
		time.Sleep(2 * time.Second)
		expect("held", 8, word("OFF"))
		f.Release()
		expect("released", 1, animate.Total(7))
		if err := f.Configure([]animate.Lamp{{LED: 9}}, animate.Defaults()); err == nil {
			t.Error("LED 9 was accepted")
		}
	})
}

// signal is digits that say when they were drawn.
type signal chan animate.Digits

func (s signal) Show(digits animate.Digits) error {
	s <- digits
	return nil
}

// BenchmarkEventToDriver is the time from an event's report to its first frame at the driver,
// which is told by its total: sweeps of earlier events are still being drawn.
func BenchmarkEventToDriver(b *testing.B) {
	scene, err := animate.New([]animate.Lamp{{Color: animate.RGB{R: 255}}}, animate.Defaults(), time.Now())
	if err != nil {
		b.Fatal(err)
	}
	drawn, totals := make(signal), &counts{}
	p := panel.New(scene, totals, panel.Outputs{Digits: drawn}, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(b.Context())
	go p.Run(ctx)
	<-drawn
	for n := uint64(1); b.Loop(); n++ {
		totals.add(0)
		p.Add(0, attack.Medium, true)
		for want := animate.Total(n); (<-drawn).Cells != want; {
		}
		if n == 9999 { // above, not every event changes the digits
			b.StopTimer()
			totals.totals[0], n = 0, 0
			b.StartTimer()
		}
	}
	cancel()
	for range drawn { // let Run draw its last picture
		break
	}
}

// An output that failed is tried again by itself, though nothing moves and nobody reports anything.
func TestAFailedOutputIsTriedAgainByItself(t *testing.T) {
	for name, failing := range outputs {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := start(t)
				defer f.stop()
				output := failing(f)
				output.set(errors.New("no answer"))
				f.hit(0)
				time.Sleep(20 * time.Second) // the sweep is over: the scene does not change any more
				synctest.Wait()
				before := output.count()
				output.set(nil)
				time.Sleep(6 * time.Second) // more than the five between two attempts
				synctest.Wait()
				if got := output.count(); got != before+1 {
					t.Errorf("%d pictures were drawn after it worked again, want 1", got-before)
				}
			})
		})
	}
}

// The exit picture is drawn on an output that failed a moment ago, too: one that comes back must
// not stay lit for ever.
func TestTheExitPictureIsDrawnAfterAFailure(t *testing.T) {
	for name, failing := range outputs {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := start(t)
				output := failing(f)
				output.set(errors.New("no answer"))
				f.hit(0)
				time.Sleep(100 * time.Millisecond)
				output.set(nil)
				before := output.count()
				f.stop() // within the time in which a failed output is left alone
				if got := output.count(); got != before+1 {
					t.Errorf("%d pictures were drawn at the end, want 1", got-before)
				}
				if pixels, digits := last(f.strip.drawn()).shown, f.digits.lastDigits().shown; pixels != [animate.Pixels]animate.Pixel{} || digits != (animate.Digits{}) {
					t.Errorf("it ends with %v and %v, want dark", pixels, digits)
				}
			})
		})
	}
}

// outputs are those of a fixture that can fail.
var outputs = map[string]func(*fixture) *device{
	"LEDs":   func(f *fixture) *device { return &f.strip },
	"digits": func(f *fixture) *device { return &f.digits },
}
