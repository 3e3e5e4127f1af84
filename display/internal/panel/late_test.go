package panel_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pialert/pialert/display/internal/animate"
	"github.com/pialert/pialert/display/internal/panel"
)

// kit is LEDs and digits that count what it is asked for.
type kit struct{ drawn, shown, closed int }

func (d *kit) Draw([animate.Pixels]animate.Pixel) error { d.drawn++; return nil }
func (d *kit) Show(animate.Digits) error                { d.shown++; return nil }
func (d *kit) Outputs() panel.Outputs                   { return panel.Outputs{Strip: d, Digits: d} }
func (d *kit) Close() error                             { d.closed++; return nil }

// Without GPIO the reason is said to whoever draws, both to LEDs and digits, and the hardware is
// tried again until it is there.
func TestADeviceThatComesLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tries, dev := 0, new(kit)
		l := panel.NewLate(func() (*kit, error) {
			if tries++; tries < 3 {
				return nil, errors.New("no GPIO")
			}
			return dev, nil
		})
		out := l.Outputs()
		if err := l.Open(); err == nil {
			t.Error("it is open without GPIO")
		}
		for want := 1; want <= 2; want++ {
			for range 2 {
				errs := []error{out.Strip.Draw([animate.Pixels]animate.Pixel{}), out.Digits.Show(animate.Digits{})}
				for _, err := range errs {
					if err == nil || !strings.HasPrefix(err.Error(), "lights: no GPIO") {
						t.Errorf("while there is no GPIO: %v", err)
					}
				}
			}
			if tries != want {
				t.Errorf("it was tried %d times, want %d", tries, want)
			}
			time.Sleep(5 * time.Second)
		}
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if d, err := l.Wait(soon); !errors.Is(err, context.DeadlineExceeded) || tries != 2 {
			t.Errorf("whoever waits got %v and %v without hardware, which was tried %d times", d, err, tries)
		}
		if err := errors.Join(l.Close(), out.Strip.Draw([animate.Pixels]animate.Pixel{}), out.Digits.Show(animate.Digits{})); err != nil {
			t.Errorf("with GPIO: %v", err)
		}
		if d, err := l.Wait(t.Context()); d != dev || err != nil {
			t.Errorf("whoever waits got %v and %v", d, err)
		}
		if err := l.Close(); err != nil || tries != 3 || *dev != (kit{1, 1, 1}) {
			t.Errorf("it was tried %d times and asked for %+v, closing gives %v", tries, *dev, err)
		}
	})
}

// legend takes no notice of totals.
type legend struct{}

func (legend) Totals([]uint64, uint64) {}

// A waveform is recorded beside what is drawn, or alone; what one of the two refuses the other one draws.
func TestBeside(t *testing.T) {
	t.Parallel()
	shown, recorded := new(kit), new(kit)
	first := shown.Outputs()
	first.Legend = legend{}
	two := panel.Beside(first, recorded.Outputs())
	if err := errors.Join(two.Strip.Draw([animate.Pixels]animate.Pixel{}), two.Digits.Show(animate.Digits{})); err != nil || two.Legend != first.Legend {
		t.Errorf("legend %v, error %v", two.Legend, err)
	}
	missing := panel.NewLate(func() (*kit, error) { return nil, errors.New("no GPIO") })
	two = panel.Beside(missing.Outputs(), recorded.Outputs())
	for _, err := range []error{two.Strip.Draw([animate.Pixels]animate.Pixel{}), two.Digits.Show(animate.Digits{})} {
		if err == nil {
			t.Error("nobody is told of the one that fails")
		}
	}
	if *shown != (kit{1, 1, 0}) || *recorded != (kit{2, 2, 0}) {
		t.Errorf("drawn %+v, recorded %+v", *shown, *recorded)
	}
	if alone := panel.Beside(panel.Outputs{}, recorded.Outputs()); alone != recorded.Outputs() {
		t.Errorf("alone it is %+v", alone)
	}
}
