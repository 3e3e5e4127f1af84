package animate

import (
	"errors"
	"fmt"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// Lamp is what a scene has to know of a lamp.
type Lamp struct {
	Color RGB
	LED   int // the resting one, 0 to 7
}

// Scene is what happens on the device. It is not safe for concurrent use. Times that are handed
// to it never go back, and carry a monotonic clock where it can be had.
type Scene struct {
	settings
	lamps  []Lamp
	epoch  time.Time
	queue  queue
	totals [maxLamps]uint64
	grand  uint64

	flash [maxLamps]time.Duration // when the lamp's last event came; never if it has not lit
	last  int                     // the lamp whose total the digits have; -1 if none
	rest  time.Duration           // when the digits' lamp came to rest

	lost    [maxLamps]bool // an agent of the lamp is not heard
	waiting bool
	dark    bool

	boot  time.Duration // when start-up began; never if it is over
	shown int           // the lamp that a person asked for
	until time.Duration // when that is over
	word  [Cells]uint8
	said  time.Duration // when the word is over
	hold  hold
}

// hold is a button that is held to power off.
type hold struct {
	active        bool
	start, length time.Duration
}

// never is before every time since the epoch.
const never = time.Duration(-1 << 62)

// How long things take.
const (
	flashLong = 300 * time.Millisecond
	showLong  = 5 * time.Second
	bootStep  = 100 * time.Millisecond
	bootLong  = 2 * Pixels * bootStep // each LED and digit once, then a greeting
	breath    = 4 * time.Second
	waitStep  = 500 * time.Millisecond
)

// New returns a scene of up to eight lamps, each on its own LED, that begins at now. The
// configuration has to pass Validate.
func New(lamps []Lamp, cfg Config, now time.Time) (*Scene, error) {
	s := &Scene{epoch: now, last: -1, boot: never, until: never, said: never, rest: never}
	for i := range s.flash {
		s.flash[i] = never
	}
	return s, s.Configure(lamps, cfg)
}

// Configure changes the lamps and the looks. What moves goes on if the lamps are as many as they
// were, else it ends. After an error nothing has changed.
func (s *Scene) Configure(lamps []Lamp, cfg Config) error {
	compiled, err := cfg.compile()
	if err != nil {
		return err
	}
	if len(lamps) > maxLamps {
		return fmt.Errorf("cannot show %d lamps, there are %d LEDs", len(lamps), maxLamps)
	}
	for _, lamp := range lamps {
		if lamp.LED < 0 || lamp.LED >= Pixels {
			return errors.New("cannot show a lamp whose resting LED is not 0 to 7")
		}
	}
	if len(lamps) != len(s.lamps) {
		s.queue.length, s.last, s.until = 0, -1, never
		s.lost = [maxLamps]bool{}
		for i := range s.flash {
			s.flash[i] = never
		}
	}
	s.settings, s.lamps = compiled, append([]Lamp(nil), lamps...)
	return nil
}

// Exit returns the picture that stays when the program ends.
func (s *Scene) Exit() Frame { return s.exit }

// Start begins the start-up, which shows each LED and each digit once. An event ends it, also one
// that came before.
func (s *Scene) Start(now time.Time) {
	if s.queue.length == 0 {
		s.boot = s.since(now)
	}
}

// Add lights a lamp for events that came at once. With sweep the lamp sweeps, or waits for its
// turn; without only its resting LED flashes. The next Frame shows it.
func (s *Scene) Add(lamp, events int, severity attack.Severity, sweep bool, now time.Time) {
	if lamp < 0 || lamp >= len(s.lamps) || events <= 0 {
		return
	}
	if !severity.Valid() {
		severity = attack.Info
	}
	at := s.since(now)
	s.settle(at)
	s.boot = never
	s.flash[lamp] = at
	if sweep {
		s.queue.add(lamp, min(events, maxEvents), severity, at)
	} else if s.queue.length == 0 {
		s.last, s.rest = lamp, at
	}
	s.settle(at)
}

// Warn sweeps white for what matters though no lamp collects it. The digits stay.
func (s *Scene) Warn(now time.Time) {
	at := s.since(now)
	s.settle(at)
	s.boot = never
	s.queue.add(noLamp, 1, attack.High, at)
	s.settle(at)
}

// SetTotals says what has been counted, per lamp and in all. A lamp whose total falls to nothing,
// as one of today's does at midnight, goes out.
func (s *Scene) SetTotals(totals []uint64, grand uint64) {
	for i, total := range totals[:min(len(totals), maxLamps)] {
		if total == 0 && s.totals[i] > 0 {
			s.flash[i] = never
		}
		s.totals[i] = total
	}
	s.grand = grand
}

// SetLost says whether an agent of the lamp has not been heard for too long.
func (s *Scene) SetLost(lamp int, lost bool) {
	if lamp >= 0 && lamp < len(s.lamps) {
		s.lost[lamp] = lost
	}
}

// SetWaiting says whether there is nobody to hear from yet: no network, or no agent.
func (s *Scene) SetWaiting(waiting bool) { s.waiting = waiting }

// SetDark switches the lights and the digits off or on. Off ends what Show shows.
func (s *Scene) SetDark(dark bool) {
	s.dark = dark
	if dark {
		s.until = never
	}
}

// Dark says whether the lights are switched off.
func (s *Scene) Dark() bool { return s.dark }

// Show has a lamp's colour and total shown for a while, also when the lights are off: a person
// has asked.
func (s *Scene) Show(lamp int, now time.Time) {
	if lamp >= 0 && lamp < len(s.lamps) {
		s.shown, s.until, s.boot = lamp, s.since(now)+showLong, never
	}
}

// ShowNext shows the lamp after the one that is shown, or else the first, and returns it.
func (s *Scene) ShowNext(now time.Time) int {
	next := 0
	if s.until > s.since(now) && s.shown+1 < len(s.lamps) {
		next = s.shown + 1
	}
	s.Show(next, now)
	return next
}

// Say has a word shown on the digits for a while. It returns an error for a word that seven
// segments cannot show.
func (s *Scene) Say(word string, long time.Duration, now time.Time) error {
	cells, ok := Word(word)
	if !ok {
		return fmt.Errorf("cannot show %q on four digits of seven segments", word)
	}
	s.word, s.said = cells, s.since(now)+long
	return nil
}

// Hold begins to fill the LEDs with red, which takes as long as the button has to be held. While
// it is held already, Hold changes nothing.
func (s *Scene) Hold(long time.Duration, now time.Time) {
	if s.hold.active {
		return
	}
	s.hold = hold{active: true, start: s.since(now), length: max(long, 1)}
}

// Release ends Hold.
func (s *Scene) Release() { s.hold.active = false }

// since is the time that everything but the clock and the nights goes by.
func (s *Scene) since(now time.Time) time.Duration { return now.Sub(s.epoch) }

// settle drops the sweeps that are over and notes whose total the digits have.
func (s *Scene) settle(at time.Duration) {
	for i := range s.queue.length {
		if w := &s.queue.sweeps[i]; w.start <= at && w.lamp != noLamp {
			s.last, s.rest = w.lamp, min(at, w.end())
		}
	}
	s.queue.prune(at)
}
