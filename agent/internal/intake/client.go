package intake

import (
	"context"
	"crypto/rand"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/pialert/pialert/pkg/backoff"
	"github.com/pialert/pialert/pkg/config"
	"github.com/pialert/pialert/pkg/control"
)

// Send hands a report to the agent that listens at a socket, again and again for as long while nobody
// answers there: it is one report, however often it is sent. Where there is not even a folder for the
// socket it does not wait. An error that wraps [control.ErrNotRunning] or [control.ErrNoAnswer] says that
// nobody answered; any other one is the agent's word.
func Send(ctx context.Context, socket string, report Report, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	report.Key = rand.Text()
	pause := backoff.Backoff{First: 100 * time.Millisecond, Last: time.Second, Least: 1. / 2}
	for last := error(nil); ; {
		err := control.Client{Path: socket}.Call(ctx, "/report", report, nil)
		if last != nil && errors.Is(err, context.DeadlineExceeded) {
			return last // why it was tried again says more
		}
		last = err
		if !errors.Is(err, control.ErrNotRunning) && !errors.Is(err, control.ErrNoAnswer) {
			return err
		}
		if _, missing := os.Stat(filepath.Dir(socket)); missing != nil {
			return err
		}
		if backoff.Wait(ctx, pause.Next(), nil); ctx.Err() != nil {
			return err
		}
	}
}

// ParseSpan reads how long a ban lasts: seconds, as fail2ban says it, or a number with a unit. Nothing is 0,
// which is not known, and less than 0 is -1, for ever.
func ParseSpan(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(seconds) {
		switch {
		case seconds < 0:
			return -1, nil
		case seconds > 1e9:
			seconds = 1e9 // three decades
		}
		return time.Duration(seconds * float64(time.Second)), nil
	}
	span, err := config.ParseDuration(text)
	return time.Duration(span), err
}
