package main

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pialert/pialert/display/internal/animate"
)

// Without GPIO the reason is said to whoever draws, both to LEDs and digits, and the hardware is
// tried again until it is there.
func TestLightsThatComeLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		l := newLights(func() (*hardware, error) {
			if tries++; tries < 3 {
				return nil, errors.New("no GPIO")
			}
			return openWaveform(Wiring{}, nil), nil
		})
		out := l.outputs()
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
		select {
		case <-l.ready:
			t.Error("buttons are read without hardware")
		default:
		}
		if err := out.Strip.Draw([animate.Pixels]animate.Pixel{}); err != nil {
			t.Errorf("with GPIO: %v", err)
		}
		<-l.ready
		if err := l.Close(); err != nil || tries != 3 {
			t.Errorf("it was tried %d times, closing gives %v", tries, err)
		}
	})
}
