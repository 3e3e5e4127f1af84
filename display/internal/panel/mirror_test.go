package panel_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pialert/pialert/display/internal/animate"
	"github.com/pialert/pialert/display/internal/panel"
	"github.com/pialert/pialert/pkg/attack"
)

// mirror keeps what it is told.
type mirror struct {
	mu     sync.Mutex
	frames []animate.Frame
	grand  uint64
}

func (m *mirror) Picture(frame animate.Frame) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.frames = append(m.frames, frame)
}

func (m *mirror) Totals(_ []uint64, grand uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.grand = grand
}

// A mirror sees every picture once, though nothing else draws and the digits are broken.
func TestMirrorsSeeThePictureWhateverTheHardwareDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := animate.Defaults()
		cfg.Zone = "UTC"
		scene, err := animate.New([]animate.Lamp{{Color: animate.RGB{R: 255}}}, cfg, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		totals, broken := &counts{}, &device{broken: errors.New("no answer")}
		mirrors := []*mirror{{}, {}}
		p := panel.New(scene, totals, panel.Outputs{Digits: broken}, slog.New(slog.DiscardHandler))
		for _, m := range mirrors {
			p.AddMirror(m)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		for _, m := range mirrors {
			m.frames = nil
		}
		totals.add(0)
		p.Add(0, attack.Medium, true)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		for i, m := range mirrors {
			if len(m.frames) < 20 || m.grand != 1 || m.frames[len(m.frames)-1].Digits.Cells != animate.Total(1) {
				t.Errorf("mirror %d saw %d pictures and the total %d", i, len(m.frames), m.grand)
			}
			for n := 1; n < len(m.frames); n++ {
				if m.frames[n] == m.frames[n-1] {
					t.Errorf("mirror %d was told picture %d twice", i, n)
				}
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if last := mirrors[0].frames[len(mirrors[0].frames)-1]; last != (animate.Frame{}) {
			t.Errorf("at the end it shows %+v", last)
		}
	})
}
