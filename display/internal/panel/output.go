package panel

import (
	"log/slog"
	"time"
)

// retryAfter is how long an output that failed is left alone.
const retryAfter = 5 * time.Second

// output sends one part of the picture where it belongs, if it changed.
type output[T comparable] struct {
	name string
	send func(T) error // nil: there is no such output
	log  *slog.Logger

	shown    T
	known    bool      // shown is what the output has
	problem  string    // why the last attempt failed; empty if it did not
	retry    time.Time // when to try again after that
	failures uint64
}

// show sends what has changed and returns whether it did. A failure is logged when it begins
// and when it ends.
func (o *output[T]) show(value T, now time.Time) (sent bool) {
	if o.send == nil || o.known && value == o.shown || now.Before(o.retry) {
		return false
	}
	if err := o.send(value); err != nil {
		if o.problem == "" {
			o.log.Error("cannot draw on the "+o.name+"; going on without, and trying again", "error", err, "every", retryAfter)
		}
		o.known, o.problem, o.retry = false, err.Error(), now.Add(retryAfter)
		o.failures++
		return false
	}
	if o.problem != "" {
		o.log.Info("the " + o.name + " can be drawn on again")
	}
	o.shown, o.known, o.problem, o.retry = value, true, "", time.Time{}
	return true
}

// before returns next, or the time of the retry if that comes earlier.
func (o *output[T]) before(next time.Time) time.Time {
	if o.problem != "" && o.retry.Before(next) {
		return o.retry
	}
	return next
}
