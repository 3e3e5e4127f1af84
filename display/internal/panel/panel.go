// Package panel is the one goroutine that draws.
//
// It promises that whoever reports an event is never held up by what draws it: Add takes a lock
// that is only ever held for some arithmetic, never while a driver works. It promises that an
// event is drawn when it comes, not at a next tick; that a picture which did not change is not
// sent; that nothing is computed while nothing moves; and that the totals shown are those of
// the counts, however many events were merged into one sweep. An output that fails is reported
// once and tried again every few seconds, and the other one goes on.
//
// When Run ends, the picture for the exit is drawn, dark if the owner did not choose another.
// Closing the outputs is their owner's.
package panel

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/pialert/pialert/display/internal/animate"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/wake"
)

// Strip is the eight LEDs. It is only called by Run, and with what has changed.
type Strip interface {
	Draw(pixels [animate.Pixels]animate.Pixel) error
}

// Digits is the four digits. It is only called by Run, and with what has changed.
type Digits interface {
	Show(digits animate.Digits) error
}

// Legend is told the totals when Run begins and whenever they have changed. It keeps neither
// the slice nor the caller.
type Legend interface {
	Totals(lamps []uint64, grand uint64)
}

// Mirror is told each picture that differs from the one before, and the totals as a [Legend] is. It
// must not wait: it is called where the picture is drawn.
type Mirror interface {
	Legend
	Picture(frame animate.Frame)
}

// Counts knows the totals of the lamps, in their order, and the grand total. Lamps that are no
// more are 0.
type Counts interface {
	Totals(dst []uint64, now time.Time) (grand uint64)
}

// Outputs is what a panel draws on. Each may be nil.
type Outputs struct {
	Strip  Strip
	Digits Digits
	Legend Legend
}

// Stats counts what a panel did.
type Stats struct {
	Frames      uint64 // pictures handed to the outputs
	Failures    uint64 // pictures that an output refused
	StripError  string // what is wrong with the strip now; empty if nothing is
	DigitsError string // the same of the digits
}

// Panel draws a scene. Its methods are safe for concurrent use; Run is for one goroutine.
type Panel struct {
	counts  Counts
	legends []Legend
	mirrors []Mirror
	strip   output[[animate.Pixels]animate.Pixel]
	digits  output[animate.Digits]
	wake    wake.Bell

	read, sent counted       // from the counts, to the legend; only Run uses them
	mirrored   animate.Frame // what the mirrors were told; only Run uses it

	mu    sync.Mutex
	scene *animate.Scene
	stats Stats
	since time.Time // when the drivers were called that have not returned; zero if they have
}

// counted is what the counts say. sent.known says whether the legend was told any.
type counted struct {
	lamps [animate.Pixels]uint64
	grand uint64
	known bool
}

// New returns a panel that owns the scene from now on.
func New(scene *animate.Scene, counts Counts, outputs Outputs, log *slog.Logger) *Panel {
	p := &Panel{
		counts: counts,
		wake:   wake.New(),
		scene:  scene,
	}
	if outputs.Legend != nil {
		p.legends = append(p.legends, outputs.Legend)
	}
	p.strip = output[[animate.Pixels]animate.Pixel]{name: "LEDs", log: log}
	if outputs.Strip != nil {
		p.strip.send = outputs.Strip.Draw
	}
	p.digits = output[animate.Digits]{name: "digits", log: log}
	if outputs.Digits != nil {
		p.digits.send = outputs.Digits.Show
	}
	return p
}

// AddMirror has a mirror told what is drawn. It is for the time before Run.
func (p *Panel) AddMirror(mirror Mirror) {
	p.mirrors = append(p.mirrors, mirror)
	p.legends = append(p.legends, mirror)
}

// Run shows the start-up and draws until the context is done. It returns nil then.
func (p *Panel) Run(ctx context.Context) error {
	defer p.exit()
	p.change(func(scene *animate.Scene, now time.Time) { scene.Start(now) })
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		next := p.draw()
		timer.Reset(time.Until(next))
		select {
		case <-ctx.Done():
			return nil
		case <-p.wake:
		case <-timer.C:
		}
	}
}

// draw hands the present picture to the outputs and returns when to draw again at the latest.
func (p *Panel) draw() (next time.Time) {
	now := time.Now()
	p.read.grand = p.counts.Totals(p.read.lamps[:], now)
	p.read.known = true

	p.mu.Lock()
	p.scene.SetTotals(p.read.lamps[:], p.read.grand)
	frame := p.scene.Frame(now)
	next = p.scene.NextChange(now)
	p.since = now
	p.mu.Unlock()

	if p.sent != p.read {
		for _, legend := range p.legends {
			legend.Totals(p.read.lamps[:], p.read.grand)
		}
		p.sent = p.read
	}
	p.mirror(frame)
	sent := p.strip.show(frame.Pixels, now)
	sent = p.digits.show(frame.Digits, now) || sent
	p.count(sent)
	return p.strip.before(p.digits.before(next))
}

// mirror tells the mirrors a picture, unless they have it.
func (p *Panel) mirror(frame animate.Frame) {
	if frame == p.mirrored {
		return
	}
	p.mirrored = frame
	for _, mirror := range p.mirrors {
		mirror.Picture(frame)
	}
}

func (p *Panel) count(sent bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.since = time.Time{}
	if sent {
		p.stats.Frames++
	}
	p.stats.Failures = p.strip.failures + p.digits.failures
	p.stats.StripError, p.stats.DigitsError = p.strip.problem, p.digits.problem
}

// exit draws the last picture, also on an output that failed before.
func (p *Panel) exit() {
	p.mu.Lock()
	frame := p.scene.Exit()
	p.mu.Unlock()
	p.strip.retry, p.digits.retry = time.Time{}, time.Time{}
	now := time.Now()
	p.mirror(frame)
	p.strip.show(frame.Pixels, now)
	p.digits.show(frame.Digits, now)
}

// Stats returns what has been done so far.
func (p *Panel) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats
}

// stuckAfter is how long a driver may take. A picture takes the TM1637 a few milliseconds.
const stuckAfter = 10 * time.Second

// Alive says whether the drawing goes on, which it does not if a driver never returns.
func (p *Panel) Alive() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.since.IsZero() || time.Since(p.since) < stuckAfter
}

// Add has a lamp light for an event that the counts know already. With sweep it sweeps, or waits
// for its turn; without only its resting LED flashes.
func (p *Panel) Add(lamp int, severity attack.Severity, sweep bool) {
	p.change(func(scene *animate.Scene, now time.Time) { scene.Add(lamp, 1, severity, sweep, now) })
}

// Warn sweeps white for what matters though no lamp collects it.
func (p *Panel) Warn() { p.change((*animate.Scene).Warn) }

// Refresh has the totals read again, after they changed without an event.
func (p *Panel) Refresh() { p.change(func(*animate.Scene, time.Time) {}) }

// change does something to the scene and has it drawn.
func (p *Panel) change(do func(scene *animate.Scene, now time.Time)) {
	p.mu.Lock()
	do(p.scene, time.Now())
	p.mu.Unlock()
	p.wake.Ring()
}
