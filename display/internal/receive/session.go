package receive

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/escape"
	"github.com/pialert/pialert/pkg/wake"
)

// Session is what an agent sends over one stream, in order. Its methods are for one goroutine, but
// for Progress and Acknowledgement, which may be for another one. Those that take a message wait
// while messages come too fast or the store is full, until the session's context ends.
type Session struct {
	*Admission
	*agent
	*life
	name     string
	greeted  bool
	kept     bool // a broker may have kept what comes
	epoch    uint64
	lastSeq  atomic.Uint64 // last number that this session brought, or said would not come
	acked    atomic.Uint64 // last number that was acknowledged on this session
	progress wake.Bell     // rings when there may be something to acknowledge
}

// Open begins a session of an agent, as soon as its former one is closed. The error is a [Later] if the
// agent opens sessions too often, or was cut off a moment ago. Whoever opened a session closes it.
func (a *Admission) Open(ctx context.Context, name string) (*Session, error) {
	return a.open(ctx, &Session{name: name, progress: wake.New()})
}

// OpenKept does the same for an agent whose messages a broker may have kept for long: only its heartbeats show that
// it lives now. Sessions may share progress, which rings for each of them.
func (a *Admission) OpenKept(ctx context.Context, name string, progress wake.Bell) (*Session, error) {
	return a.open(ctx, &Session{name: name, progress: progress, kept: true})
}

func (a *Admission) open(ctx context.Context, s *Session) (*Session, error) {
	agent, err := a.agents.get(s.name)
	if err != nil {
		return nil, err
	}
	s.Admission, s.agent = a, agent
	s.life = &life{}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	if err := agent.begin(s.life, a.options.Now()); err != nil {
		s.cancel(err)
		return nil, err
	}
	return s, nil
}

// Context ends with the session: when the one of [Admission.Open] does, or when another session
// of the agent takes over; its cause says so.
func (s *Session) Context() context.Context { return s.ctx }

// Close ends the session for a reason, nil if it came to its end. If the reason is a [Refusal],
// the agent is cut off.
func (s *Session) Close(reason error) {
	s.cancel(reason)
	now := s.options.Now()
	s.end(now)
	var refusal *Refusal
	if !errors.As(reason, &refusal) {
		s.options.Logger.Debug("an agent's stream ended", "agent", s.name, "reason", reason)
		return
	}
	s.cutOff(refusal.Text, now)
	if before, log := s.mayLog(logCutOff, now); log {
		s.options.Logger.Warn("cut an agent off", "agent", s.name, "reason", refusal.Text, "times before, not logged", before)
	}
}

// slowDown waits as long as the agent's messages come too fast.
func (s *Session) slowDown() error {
	now := s.options.Now()
	wait := s.limits.messages.ReserveN(now, 1).DelayFrom(now)
	if wait == 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-s.ctx.Done():
		return context.Cause(s.ctx)
	}
}

// Hello is how an agent begins.
type Hello struct {
	Protocol uint32
	Version  string // of its program
	Epoch    uint64 // of its numbers
}

// Hello takes the first message and returns the last number of the epoch that is committed.
func (s *Session) Hello(hello Hello) (committed uint64, err error) {
	if err := s.slowDown(); err != nil {
		return 0, err
	}
	now := s.options.Now()
	switch {
	case s.greeted:
		return 0, &Refusal{OutOfTurn, "it said hello twice"}
	case hello.Protocol != Protocol:
		return 0, &Refusal{OutOfTurn, fmt.Sprintf("it speaks protocol %d, this display %d: update the older of the two",
			hello.Protocol, Protocol)}
	case !s.mayBegin(hello.Epoch, now):
		return 0, &Refusal{TooMuch, "it begins new epochs too often: is its spool deleted again and again?"}
	}
	s.epoch = hello.Epoch
	if committed, err = s.options.Store.Committed(s.ctx, s.name, s.epoch); err != nil {
		return 0, ErrUnavailable
	}
	version := escape.Text(attack.Clip(hello.Version, maxVersion))
	s.welcome(s.epoch, version, s.progress, now, !s.kept)
	s.lastSeq.Store(committed)
	s.acked.Store(committed)
	s.greeted = true
	if before, log := s.mayLog(logWelcome, now); log {
		s.options.Logger.Info("receiving from an agent", "agent", s.name, "version", version, "committed", committed,
			"times before, not logged", before)
	}
	return committed, nil
}

// Progress holds a token when [Session.Acknowledgement] may have something new to say.
func (s *Session) Progress() <-chan struct{} { return s.progress }

// Acknowledgement returns the last number that is committed, if it was not returned before. It is
// never above what came on this session, though the store may still commit what a former one
// brought.
func (s *Session) Acknowledgement() (committed uint64, ok bool) {
	committed = min(s.committedNow(), s.lastSeq.Load())
	if committed <= s.acked.Load() {
		return 0, false
	}
	s.acked.Store(committed)
	return committed, true
}

// take takes note of a message after the hello.
func (s *Session) take() (now time.Time, err error) {
	if err := s.slowDown(); err != nil {
		return now, err
	}
	if !s.greeted {
		return now, &Refusal{OutOfTurn, "it did not say hello first"}
	}
	now = s.options.Now()
	if !s.kept {
		s.note(func(status *Status) { status.LastHeard = now })
	}
	return now, nil
}

// Beat is what an agent says of itself now and then.
type Beat struct {
	Dropped Dropped
	Waiting uint64 // events that it has and this display has not acknowledged
	Logs    []Log
}

// Heartbeat notes that the agent is alive, what it had to drop, and how its logs are. It keeps the
// slice.
func (s *Session) Heartbeat(beat Beat) error {
	now, err := s.take()
	if err != nil {
		return err
	}
	s.note(func(status *Status) {
		status.Dropped, status.Waiting, status.Logs = beat.Dropped, beat.Waiting, bounded(beat.Logs)
		status.LastHeard = now
		if !status.Connected { // on a session of OpenKept nothing else connects
			status.Connected, status.Since = true, now
		}
	})
	s.options.Store.Heard(s.name, now)
	return nil
}

// Silent notes that no heartbeat has come for too long on a session of [Admission.OpenKept].
func (s *Session) Silent() {
	now := s.options.Now()
	s.note(func(status *Status) {
		if status.Connected {
			status.Connected, status.Since = false, now
		}
	})
}

// Runs notes the version of the agent's program, which may change during a session of
// [Admission.OpenKept].
func (s *Session) Runs(version string) {
	version = escape.Text(attack.Clip(version, maxVersion))
	s.note(func(status *Status) { status.Version = version })
}

// Unknown takes a message that only a newer agent knows. It comes on top of what an agent must say,
// and may be left unheard.
func (s *Session) Unknown() error {
	_, err := s.take()
	return err
}
