// Package terminal shows the device in a terminal: its case, the eight LEDs that glow, the four
// digits, the lamps with their totals and their last minute, and the latest events. Where the
// output is no terminal, it prints a plain line per event instead.
//
// It promises never to hold up whoever draws or reports: one goroutine, Run, writes, and paints
// the latest state when it gets to it. Lines that it cannot write as fast as events come are
// dropped and counted, and the count is printed. It promises to leave the terminal as it was,
// with the last picture on it, and that no byte of an attacker's reaches it unquoted.
package terminal

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pialert/pialert/display/internal/animate"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/escape"
	"github.com/pialert/pialert/pkg/plural"
	"github.com/pialert/pialert/pkg/wake"
)

// Bounds of what is kept of lines.
const (
	maxPending = 4096 // lines that wait to be written, where the output is no terminal
	maxRecent  = 100  // events that can be seen, where it is one
	maxLine    = 512  // bytes of a line that was logged
)

// minPaint is the least time between two paintings: a step of a sweep takes no less.
const minPaint = 20 * time.Millisecond

// Terminal implements the panel's outputs, and lists events. Its methods are safe for concurrent
// use and never wait for the terminal; Run is for one goroutine.
type Terminal struct {
	out    io.Writer
	screen Screen
	wake   wake.Bell

	mu     sync.Mutex
	state  state
	lines  []string // plain: not written yet
	events []row    // live: the latest
	logged []string // live: the latest of Write, which the closing screen would take with it
	missed uint64   // plain: lines that were dropped
	err    error    // why nothing can be written any more
}

// New returns a terminal that writes to out, which can do what screen says. It writes nothing.
func New(out io.Writer, screen Screen, lamps []Lamp) *Terminal {
	return &Terminal{out: out, screen: screen, wake: wake.New(), state: state{lamps: lamps}}
}

// Live says whether a picture is painted. A log has to be written to the terminal then, or else it
// spoils the picture.
func (t *Terminal) Live() bool { return t.screen.Live }

// Draw shows the LEDs. Its error is why writing failed earlier.
func (t *Terminal) Draw(pixels [animate.Pixels]animate.Pixel) error {
	return t.change(func() {
		t.state.pixels = pixels
		if pixels != ([animate.Pixels]animate.Pixel{}) {
			t.state.lit.pixels = pixels
		}
	})
}

// Show shows the digits. Its error is why writing failed earlier.
func (t *Terminal) Show(digits animate.Digits) error {
	return t.change(func() {
		t.state.digits = digits
		if digits.Brightness > 0 {
			t.state.lit.digits = digits
		}
	})
}

// Totals shows the totals of the lamps and in all.
func (t *Terminal) Totals(lamps []uint64, grand uint64) {
	t.change(func() {
		t.state.totals = [animate.Pixels]uint64{}
		copy(t.state.totals[:], lamps)
		t.state.grand = grand
	})
}

// SetLamps changes the lamps, after their configuration did.
func (t *Terminal) SetLamps(lamps []Lamp) {
	t.mu.Lock()
	same := slices.Equal(t.state.lamps, lamps)
	t.mu.Unlock()
	if !same {
		t.change(func() { t.state.lamps = lamps })
	}
}

// Event lists an event of an agent's: when it arrived, the lamp that shows it (-1 if none does)
// and the lamp's total with it.
func (t *Terminal) Event(at time.Time, agent string, lamp int, event *attack.Event, total uint64) {
	t.change(func() {
		if t.screen.Live {
			if !event.Test && lamp >= 0 && lamp < len(t.state.recent) {
				t.state.recent[lamp].add(at, event.Count)
			}
			t.events = latest(append(t.events, rowOf(at, agent, lamp, event)))
			return
		}
		if t.full() {
			t.missed++
			return
		}
		name := ""
		if lamp >= 0 && lamp < len(t.state.lamps) {
			name = t.state.lamps[lamp].Name
		}
		t.lines = append(t.lines, line(at, agent, name, event, total))
	})
}

// Missed says that so many events more came than [Terminal.Event] was told of.
func (t *Terminal) Missed(events uint64) {
	if events == 0 {
		return
	}
	t.change(func() {
		if t.screen.Live {
			t.events = latest(append(t.events, row{lamp: -1, note: "(" + plural.Count(events, "event") + " more)"}))
			return
		}
		t.missed += events
	})
}

// Write takes lines of a log, so that a logger does not spoil the picture: the latest stands in the
// last row, and all are written when the picture is closed. It never fails.
func (t *Terminal) Write(text []byte) (int, error) {
	t.change(func() {
		for each := range bytes.Lines(text) {
			if t.full() {
				t.missed++
				continue
			}
			clean := escape.Text(attack.Clip(strings.TrimRight(string(each), "\r\n"), maxLine))
			if t.screen.Live {
				t.logged, t.state.note = latest(append(t.logged, clean)), clean
			} else {
				t.lines = append(t.lines, clean)
			}
		}
	})
	return len(text), nil
}

// full says whether lines have to be dropped. The caller holds the lock.
func (t *Terminal) full() bool { return !t.screen.Live && len(t.lines) >= maxPending }

// latest drops the oldest above maxRecent.
func latest[T any](all []T) []T {
	if over := len(all) - maxRecent; over > 0 {
		copy(all, all[over:])
		all = all[:maxRecent]
	}
	return all
}

func (t *Terminal) change(do func()) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	do()
	t.wake.Ring()
	return t.err
}

// Run writes until the context is done, then what is left, and puts the terminal back into the
// state that it found. It returns nil then, or why it could not write.
func (t *Terminal) Run(ctx context.Context) error {
	run := t.plain
	if t.screen.Live {
		run = t.live
	}
	if err := run(ctx); err != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.err = fmt.Errorf("cannot write to the terminal: %w", err)
		return t.err
	}
	return nil
}

func (t *Terminal) plain(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return t.print()
		case <-t.wake:
		}
		if err := t.print(); err != nil {
			return err
		}
	}
}

// print writes the lines that wait.
func (t *Terminal) print() error {
	t.mu.Lock()
	lines, missed := t.lines, t.missed
	t.lines, t.missed = nil, 0
	t.mu.Unlock()
	var text bytes.Buffer
	for _, each := range lines {
		text.WriteString(each)
		text.WriteByte('\n')
	}
	if missed > 0 {
		fmt.Fprintf(&text, "(%s more: faster than could be written)\n", plural.Count(missed, "line"))
	}
	_, err := t.out.Write(text.Bytes())
	return err
}
