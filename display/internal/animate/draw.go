package animate

import "time"

// Levels of what rests, and how often what moves slowly is drawn.
const (
	restLevel   = 90  // a lamp that has lit
	lastLevel   = 150 // the lamp whose total the digits have
	showLevel   = 170 // all LEDs in the colour of a lamp that a person asked for
	waitLevel   = 120
	breathHigh  = 200
	breathLow   = 20
	frameTime   = time.Second / 60
	breathFrame = time.Second / 20
)

var (
	white = RGB{255, 255, 255}
	red   = RGB{255, 0, 0}
)

// Frame returns the picture at now.
func (s *Scene) Frame(now time.Time) (f Frame) {
	at := s.since(now)
	s.settle(at)
	b := s.brightness(now)
	switch {
	case s.until > at || s.hold.active:
		b.Lights, b.Digits = max(b.Lights, 1), max(b.Digits, 1)
	case s.dark:
		return Frame{}
	}
	if b.Lights > 0 {
		var lights [Pixels]light
		s.drawLights(&lights, at)
		for i := range lights {
			f.Pixels[i] = lights[i].pixel(uint8(b.Lights))
		}
	}
	if b.Digits > 0 {
		f.Digits.Cells, f.Digits.Colon = s.digits(at, now)
		f.Digits.Brightness = uint8(b.Digits)
	}
	return f
}

func (s *Scene) drawLights(lights *[Pixels]light, at time.Duration) {
	switch {
	case s.hold.active:
		s.hold.draw(lights, at)
		return
	case s.until > at:
		for i := range lights {
			lights[i].add(s.lamps[s.shown].Color, showLevel)
		}
	case s.booting(at):
		if led := int((at - s.boot) / bootStep); led < Pixels {
			lights[led].add(white, 255)
			return
		}
		s.greet(lights)
	default:
		s.drawRest(lights, at)
	}
	for i := range s.queue.length {
		w, color := &s.queue.sweeps[i], white
		if w.lamp != noLamp {
			color = s.lamps[w.lamp].Color
		}
		w.draw(lights, color, at)
	}
	s.drawFlashes(lights, at)
}

// drawRest draws what is there when nothing sweeps.
func (s *Scene) drawRest(lights *[Pixels]light, at time.Duration) {
	if s.waiting {
		place := int(at/waitStep) % lastStep
		lights[min(place, lastStep-place)].add(white, waitLevel)
	}
	for i := range s.lamps {
		lamp := &s.lamps[i]
		if s.lost[i] {
			lights[lamp.LED].add(white, breathe(at))
		} else if level := s.restLevel(i); level > 0 {
			lights[lamp.LED].add(lamp.Color, level)
		}
	}
}

// restLevel is that of a lamp's resting LED: dark until it lights first.
func (s *Scene) restLevel(lamp int) uint8 {
	switch {
	case s.totals[lamp] == 0 && s.flash[lamp] == never:
		return 0
	case lamp == s.last:
		return lastLevel
	}
	return restLevel
}

// drawFlashes makes the resting LEDs of lamps that had an event shine, also through the eye of
// another lamp: whatever goes on, an event can be seen at once.
func (s *Scene) drawFlashes(lights *[Pixels]light, at time.Duration) {
	for i := range s.lamps {
		if left := s.flash[i] + flashLong - at; left > 0 {
			share, rest := uint8(255*left/flashLong), s.restLevel(i)
			light := &lights[s.lamps[i].LED]
			light.fade(share)
			light.add(s.lamps[i].Color, rest+scale(255-rest, share))
		}
	}
}

// greet lights every lamp's resting LED, to show the colours that there are.
func (s *Scene) greet(lights *[Pixels]light) {
	for _, lamp := range s.lamps {
		lights[lamp.LED].add(lamp.Color, lastLevel)
	}
}

// breathe rises and falls as breath does: evenly to the eye but for the turns.
func breathe(at time.Duration) uint8 {
	const half = breath / 2
	x := at.Truncate(breathFrame) % breath
	if x > half {
		x = breath - x
	}
	x = x * 256 / half              // 0 to 256
	x = x * x * (3*256 - 2*x) >> 16 // smooth step, 0 to 256
	return uint8(breathLow + (breathHigh-breathLow)*x/256)
}

func (h *hold) draw(lights *[Pixels]light, at time.Duration) {
	filled := min(at-h.start, h.length) * 255 * Pixels / h.length // 255 per LED
	for i := range lights {
		level := max(0, min(255, filled-time.Duration(i)*255))
		lights[i].add(red, uint8(level))
	}
}

func (s *Scene) booting(at time.Duration) bool { return s.boot != never && at < s.boot+bootLong }

// digits returns the cells and the colon.
func (s *Scene) digits(at time.Duration, now time.Time) (cells [Cells]uint8, colon bool) {
	switch {
	case s.hold.active:
		cells, _ = Word("OFF")
		return cells, false
	case s.said > at:
		return s.word, false
	case s.until > at:
		return Total(s.totals[s.shown]), false
	case s.booting(at):
		if place := int((at - s.boot) / bootStep); place < Pixels {
			cells[place%Cells] = font['8']
			return cells, place >= Cells
		}
		cells, _ = Word("Hi")
		return cells, false
	case s.last >= 0 && (s.queue.length > 0 || at < s.rest+s.linger):
		return Total(s.totals[s.last]), false
	case s.waiting:
		cells, _ = Word("----")
		return cells, false
	}
	switch {
	case s.idle == idleClock:
		local := now.In(s.zone)
		return clock(local.Hour(), local.Minute()), local.Second()%2 == 0
	case s.idle == idleOff:
		return cells, false
	case s.idle == idleLast && s.last >= 0:
		return Total(s.totals[s.last]), false
	default:
		return Total(s.grand), false
	}
}

// NextChange returns when to draw again: while something sweeps, the next sixtieth of a second,
// else a time until which Frame stays as it is at now. That is the beginning of the next minute
// at the latest, since nights and days begin then.
func (s *Scene) NextChange(now time.Time) time.Time {
	at := s.since(now)
	s.settle(at)
	next := now.Truncate(time.Minute).Add(time.Minute)
	earlier := func(t time.Time) {
		if t.Before(next) {
			next = t
		}
	}
	after := func(d time.Duration) {
		if d > at {
			earlier(now.Add(d - at))
		}
	}
	every := func(d time.Duration) { after((at/d + 1) * d) }

	asked := s.until > at || s.hold.active
	after(s.until)
	after(s.said)
	if s.dark && !asked {
		return next
	}
	switch {
	case s.queue.length > 0 || s.hold.active && at < s.hold.start+s.hold.length:
		every(frameTime)
	case s.flashing(at):
		every(frameTime)
	case s.booting(at):
		every(bootStep)
	case s.anyLost():
		every(breathFrame)
	case s.waiting:
		every(waitStep)
	}
	if s.last >= 0 {
		after(s.rest + s.linger)
	}
	if s.idle == idleClock {
		earlier(now.Truncate(time.Second).Add(time.Second))
	}
	return next
}

func (s *Scene) flashing(at time.Duration) bool {
	for i := range s.lamps {
		if at < s.flash[i]+flashLong {
			return true
		}
	}
	return false
}

func (s *Scene) anyLost() bool {
	for i := range s.lamps {
		if s.lost[i] {
			return true
		}
	}
	return false
}
