package nats

import (
	"log/slog"
	"time"
)

// failures logs why a delivery does not go on: what is new at once, what stays only now and then.
type failures struct {
	log  *slog.Logger
	last string
	at   time.Time
}

func (f *failures) note(err error, now time.Time) {
	if err.Error() == f.last && now.Sub(f.at) < sameFailureEvery {
		return
	}
	f.last, f.at = err.Error(), now
	f.log.Warn("cannot deliver by the broker, trying again", "error", err)
}

const sameFailureEvery = 10 * time.Minute
