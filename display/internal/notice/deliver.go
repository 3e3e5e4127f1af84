package notice

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/pialert/pialert/display/internal/notice/channel"
	"github.com/pialert/pialert/pkg/wake"
)

// pauses are between attempts; the last one repeats.
var pauses = []time.Duration{
	10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour,
}

// settle says what becomes of an entry after an attempt.
func settle(e Entry, answer string, err error, now time.Time) Entry {
	e.Answer, e.Next = answer, now
	if err == nil {
		e.State = Delivered
		e.Attempts++
		return e
	}
	failure := &channel.Failure{Outcome: channel.Failed}
	if !errors.As(err, &failure) {
		failure.Answer = channel.OneLine(err.Error())
	}
	e.Answer = failure.Error()
	e.State = Queued
	switch failure.Outcome {
	case channel.Throttled: // the message is not at fault: this was no attempt
		e.Next = now.Add(max(failure.Wait, pauses[0]))
		return e
	case channel.Refused:
		e.State = Failed
	case channel.Unknown:
		if e.Unknown++; e.Unknown > maxUnknown {
			e.State = Failed
		}
	}
	pause := pauses[min(e.Attempts, len(pauses)-1)]
	e.Attempts++
	e.Next = now.Add(max(pause, failure.Wait))
	return e
}

// worker delivers the messages of one channel, one after the other.
type worker struct {
	name    string
	channel Channel
	outbox  *outbox
	wake    wake.Bell // rings when there may be something new
	log     *slog.Logger
	now     func() time.Time
}

// lookEvery bounds how long a worker waits without a look at the outbox: a clock that jumps must not
// keep a message waiting.
const lookEvery = time.Minute

// Run delivers until ctx ends. An attempt that is under way then is not cut short at once.
func (w *worker) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		wait, err := w.step(ctx)
		if err != nil && ctx.Err() == nil {
			w.log.Error("cannot deliver notices now", "channel", w.name, "error", err)
			wait = pauses[0]
		}
		if wait <= 0 {
			continue
		}
		timer := time.NewTimer(min(wait, lookEvery))
		select {
		case <-ctx.Done():
		case <-w.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
	return nil
}

var errAnswered = errors.New("the service has answered already")

// step makes one attempt if one is due, and returns how long to wait for the next.
func (w *worker) step(ctx context.Context) (time.Duration, error) {
	e, ok, err := w.outbox.next(ctx, w.name)
	if err != nil || !ok {
		return lookEvery, err
	}
	now := w.now()
	if wait := e.Next.Sub(now); wait > 0 && wait <= longestWait {
		return wait, nil // a longer one is that of a clock which jumped
	}
	// A service may answer before it has what is handed over: what becomes of the entry is noted behind that it was, and
	// nothing is handed over behind the answer.
	var handing sync.Mutex
	var answered bool
	var fault error // of the outbox
	answer, sendErr := w.channel.Send(channel.WithHandover(ctx, func() error {
		handing.Lock()
		defer handing.Unlock()
		if answered {
			return errAnswered
		}
		fault = w.outbox.handOver(ctx, e.ID, now)
		return fault
	}), &e.message)
	handing.Lock()
	answered = true
	handing.Unlock()
	if fault != nil {
		return 0, fault
	}
	e = settle(e, answer, sendErr, w.now())
	if e.State == Failed {
		w.log.Warn("a notice was not delivered", "channel", w.name, "notice", e.ID, "answer", e.Answer)
	}
	// What is known now must not be lost to the end of the program.
	return 0, w.outbox.settled(context.WithoutCancel(ctx), e, w.now())
}

// longestWait is the most that a service can ask for, and a little.
const longestWait = 25 * time.Hour
