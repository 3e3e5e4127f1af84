package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pialert/pialert/display/internal/animate"
	"github.com/pialert/pialert/display/internal/button"
	"github.com/pialert/pialert/display/internal/lamp"
	"github.com/pialert/pialert/display/internal/panel"
	"github.com/pialert/pialert/pkg/attack"
)

// pushButton is a pin with a pull-up that a push button connects to ground.
type pushButton struct{ down atomic.Bool }

func (p *pushButton) Read() bool { return !p.down.Load() }

// press holds the button for a while, in the test's own time.
func (p *pushButton) press(long time.Duration) {
	p.down.Store(true)
	time.Sleep(long)
	p.down.Store(false)
	time.Sleep(100 * time.Millisecond)
}

// desk is a device that remembers what it shows.
type desk struct {
	show, lights pushButton
	powerOff     func() error
	offs         atomic.Int32

	mu     sync.Mutex
	pixels [animate.Pixels]animate.Pixel
	digits animate.Digits
}

func (d *desk) Draw(pixels [animate.Pixels]animate.Pixel) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pixels = pixels
	return nil
}

func (d *desk) Show(digits animate.Digits) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.digits = digits
	return nil
}

// lit returns how many LEDs shine, and in which colours they do.
func (d *desk) lit() (leds int, red, green, blue bool) {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.pixels {
		if p.R > 0 || p.G > 0 || p.B > 0 {
			leds++
		}
		red, green, blue = red || p.R > 0, green || p.G > 0, blue || p.B > 0
	}
	return leds, red, green, blue
}

func (d *desk) reads(word string) bool {
	cells, _ := animate.Word(word)
	return d.shows(cells)
}

func (d *desk) shows(cells [animate.Cells]uint8) bool {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.digits.Cells == cells && d.digits.Brightness > 0
}

// atTheDesk runs a test at a device past its start-up, with red SSH logins counted 7 times.
func atTheDesk(t *testing.T, test func(t *testing.T, d *desk)) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{powerOff: func() error { return nil }}
		cfg := defaults()
		cfg.Look.Zone, cfg.Look.Idle = "UTC", "off"
		lamps, err := lamp.New(cfg.Lamps, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		lamps.SetFirst("vps")
		scene, err := animate.New(animated(cfg.Lamps), cfg.Look, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		log := slog.New(slog.DiscardHandler)
		panel := panel.New(scene, lamps, panel.Outputs{Strip: d, Digits: d}, log)
		b := &button.Buttons{
			Show: &d.show, Lights: &d.lights, Panel: panel, Logger: log,
			PowerOff: func(context.Context) error { d.offs.Add(1); return d.powerOff() },
		}
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { panel.Run(ctx) })
		running.Go(func() { b.Run(ctx) })
		defer running.Wait()
		defer stop()
		time.Sleep(5 * time.Second)
		lamps.Add("vps", &attack.Event{Kind: attack.SSHLogin, Severity: attack.Medium, Count: 7}, time.Now())
		panel.Refresh()
		time.Sleep(time.Minute)
		test(t, d)
	})
}

const tap = 200 * time.Millisecond

func TestTapsCycleTheLamps(t *testing.T) {
	atTheDesk(t, func(t *testing.T, d *desk) {
		d.show.press(tap)
		if leds, red, green, blue := d.lit(); leds != animate.Pixels || !red || green || blue {
			t.Errorf("the red lamp lights %d LEDs, red %v, green %v, blue %v", leds, red, green, blue)
		}
		if !d.shows(animate.Total(7)) {
			t.Errorf("the digits do not show the red lamp's total: %x", d.digits.Cells)
		}
		d.show.press(tap)
		if leds, red, _, blue := d.lit(); leds != animate.Pixels || red || !blue {
			t.Errorf("the second tap shows no blue lamp: %d LEDs, red %v, blue %v", leds, red, blue)
		}
		time.Sleep(10 * time.Second)
		d.show.press(tap)
		if _, red, _, blue := d.lit(); !red || blue {
			t.Error("after a while the first lamp is not the first to show again")
		}
	})
}

func TestATapSwitchesTheLights(t *testing.T) {
	atTheDesk(t, func(t *testing.T, d *desk) {
		if leds, _, _, _ := d.lit(); leds == 0 {
			t.Error("nothing is lit at first")
		}
		d.lights.press(tap)
		if leds, _, _, _ := d.lit(); leds != 0 {
			t.Errorf("%d LEDs are lit after the tap", leds)
		}
		d.lights.press(tap)
		if leds, _, _, _ := d.lit(); leds == 0 {
			t.Error("nothing is lit after the second tap")
		}
		if d.offs.Load() > 0 {
			t.Error("a tap shut the machine down")
		}
	})
}

func TestALongPressPowersOff(t *testing.T) {
	atTheDesk(t, func(t *testing.T, d *desk) {
		d.lights.down.Store(true)
		time.Sleep(1750 * time.Millisecond) // half of what fills up from half a second on
		if leds, red, green, blue := d.lit(); leds < 3 || leds > 5 || !red || green || blue {
			t.Errorf("half-way %d LEDs confirm, red %v, green %v, blue %v", leds, red, green, blue)
		}
		if !d.reads("OFF") || d.offs.Load() > 0 {
			t.Errorf("half-way the digits are %x, and it was powered off %d times", d.digits.Cells, d.offs.Load())
		}
		time.Sleep(1200 * time.Millisecond)
		if leds, _, _, _ := d.lit(); leds != animate.Pixels || d.offs.Load() > 0 {
			t.Errorf("just before the end %d LEDs confirm, and it was powered off %d times", leds, d.offs.Load())
		}
		time.Sleep(100 * time.Millisecond)
		d.lights.down.Store(false)
		time.Sleep(time.Second)
		if n := d.offs.Load(); n != 1 {
			t.Errorf("it was powered off %d times", n)
		}
	})
}

func TestALongPressIsCancelledByLettingGo(t *testing.T) {
	atTheDesk(t, func(t *testing.T, d *desk) {
		before, _, _, _ := d.lit()
		d.lights.press(2500 * time.Millisecond)
		if after, _, _, _ := d.lit(); after != before || d.reads("OFF") {
			t.Errorf("%d LEDs are lit, %d were before", after, before)
		}
		if n := d.offs.Load(); n != 0 {
			t.Errorf("it was powered off %d times", n)
		}
	})
}

func TestAPowerOffThatIsRefusedShows(t *testing.T) {
	atTheDesk(t, func(t *testing.T, d *desk) {
		d.powerOff = func() error { return errors.New("access denied") }
		d.lights.press(3100 * time.Millisecond)
		if !d.reads("Err") {
			t.Errorf("the digits show %x", d.digits.Cells)
		}
		time.Sleep(button.SorryLong)
		if d.reads("Err") || d.reads("OFF") {
			t.Error("the digits do not get over it")
		}
	})
}
