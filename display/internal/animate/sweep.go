package animate

import (
	"math/bits"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// A sweep's eye stands on LED 0 at step 0, on LED 7 at step 7 and on LED 0 again at step 14: the
// 15 steps of the first PiAlert, though drawn between the steps as well.
const (
	turnStep  = Pixels - 1
	lastStep  = 2 * turnStep
	sweepLong = lastStep + 1 // steps until the next sweep may start
	leadSteps = 2            // steps before the eye that its glow begins
	tailSteps = 5            // steps behind the eye that its glow ends
	fineSteps = 16           // parts of a step that the glow table has
)

// glow is an LED's level while the eye comes, passes and leaves a tail: from leadSteps before to
// tailSteps behind, in fineSteps per step.
var glow = func() (table [(leadSteps + tailSteps) * fineSteps]uint8) {
	knots := [leadSteps + tailSteps + 1]int{0, 90, 255, 190, 130, 80, 36, 0}
	for i := range table {
		from, to, part := knots[i/fineSteps], knots[i/fineSteps+1], i%fineSteps
		table[i] = uint8(from + (to-from)*part/fineSteps)
	}
	return table
}()

// paces is how long a step takes: the first for a single event with few others waiting, each
// later one for more. The last is the pace of the first PiAlert.
var paces = [...]time.Duration{
	32 * time.Millisecond, 24 * time.Millisecond, 18 * time.Millisecond, 13 * time.Millisecond, 10 * time.Millisecond,
}

// perLamp is how many sweeps of one lamp may wait; further events merge into the last of them.
const perLamp = 2

// maxEvents is the most that a sweep counts: its force does not grow any more long before.
const maxEvents = 1 << 20

// maxSweeps is all that can be in the queue: what waits, what plays and what fades.
const maxSweeps = perLamp*(maxLamps+1) + 4

// noLamp stands for a sweep that no lamp collects.
const noLamp = maxLamps

// styles is how a sweep of a severity looks.
var styles = [...]struct {
	peak   uint8 // level of the eye
	core   bool  // the eye is white hot, and brighter
	mirror bool  // a second eye comes from the other end
}{
	attack.Info:   {peak: 130},
	attack.Low:    {peak: 180},
	attack.Medium: {peak: 255},
	attack.High:   {peak: 255, core: true, mirror: true},
}

// sweep is one way of the eye there and back. Times are since the scene's epoch.
type sweep struct {
	lamp     int
	severity attack.Severity // the highest of its events
	events   int
	start    time.Duration
	step     time.Duration
}

func (w *sweep) end() time.Duration  { return w.start + sweepLong*w.step }
func (w *sweep) dark() time.Duration { return w.start + (lastStep+tailSteps)*w.step }

// force grows with the number of events: 0 for one, 1 from 2, 2 from 8, then one more for every
// fourfold.
func (w *sweep) force() int { return min(bits.Len(uint(w.events))/2, len(paces)-1) }

// glowAt returns the level of an LED that the eye passes, or passed, this many fine steps ago.
func glowAt(fine int) uint8 {
	fine += leadSteps * fineSteps
	if fine < 0 || fine >= len(glow) {
		return 0
	}
	return glow[fine]
}

// level returns how much an LED shows of an eye that has gone so many fine steps.
func level(led, fine int) uint8 {
	return max(glowAt(fine-led*fineSteps), glowAt(fine-(lastStep-led)*fineSteps))
}

// draw adds the sweep to the lights.
func (w *sweep) draw(lights *[Pixels]light, color RGB, at time.Duration) {
	if at < w.start {
		return
	}
	style, fine := &styles[w.severity], int((at-w.start)*fineSteps/w.step)
	for led := range lights {
		shown, boost := color, uint8(w.force())
		share := level(led, fine)
		if style.mirror {
			share = max(share, level(turnStep-led, fine))
		}
		if share == 0 {
			continue
		}
		if style.core {
			shown, boost = whiten(color, share), boost+1
		}
		lights[led].fade(share) // or the eye would change its colour over what rests
		lights[led].add(shown, scale(share, style.peak))
		lights[led].boost = max(lights[led].boost, boost)
	}
}

// whiten mixes white into a colour where the level is above two thirds, up to pure white.
func whiten(c RGB, level uint8) RGB {
	if level <= 170 {
		return c
	}
	white := (level - 170) * 3
	return RGB{c.R + scale(255-c.R, white), c.G + scale(255-c.G, white), c.B + scale(255-c.B, white)}
}

// queue is the sweeps that fade, play and wait, in the order of their start.
type queue struct {
	sweeps [maxSweeps]sweep
	length int
}

// add puts in sweeps for events of a lamp that arrive at once.
func (q *queue) add(lamp, events int, severity attack.Severity, at time.Duration) {
	for events > 0 && q.waiting(lamp, at) < perLamp && q.length < maxSweeps {
		start := at
		if q.length > 0 {
			start = max(start, q.sweeps[q.length-1].end())
		}
		q.sweeps[q.length] = sweep{lamp: lamp, severity: severity, events: 1, start: start, step: paces[0]}
		q.length++
		events--
	}
	if events > 0 {
		q.merge(lamp, events, severity)
	}
	q.schedule(at)
}

// waiting counts the sweeps that have not begun, of one lamp or of all if lamp is negative.
func (q *queue) waiting(lamp int, at time.Duration) (count int) {
	for i := range q.length {
		if w := &q.sweeps[i]; w.start > at && (lamp < 0 || w.lamp == lamp) {
			count++
		}
	}
	return count
}

func (q *queue) merge(lamp, events int, severity attack.Severity) {
	for i := q.length - 1; i >= 0; i-- {
		if w := &q.sweeps[i]; w.lamp == lamp {
			w.events = min(w.events+events, maxEvents)
			w.severity = max(w.severity, severity)
			return
		}
	}
}

// schedule paces what waits, the more in a hurry the more there is, and sets its starts.
func (q *queue) schedule(at time.Duration) {
	hurry := q.waiting(-1, at) / 2
	for i := range q.length {
		w := &q.sweeps[i]
		if w.start < at {
			continue
		}
		w.step = paces[min(w.force()+hurry, len(paces)-1)]
		if i > 0 {
			w.start = max(at, q.sweeps[i-1].end())
		}
	}
}

// prune drops what is over.
func (q *queue) prune(at time.Duration) {
	over := 0
	for over < q.length && q.sweeps[over].dark() <= at {
		over++
	}
	if over > 0 {
		copy(q.sweeps[:], q.sweeps[over:q.length])
		q.length -= over
	}
}
