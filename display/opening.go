package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/control"
)

// opening tells how far the upgrade or repair of a history is, before anything else can be asked of the display:
// in the log, to systemd, and as the answer to every command. Agents keep their events meanwhile.
type opening struct {
	socket string // of the commands
	logger *slog.Logger
	now    func() time.Time

	said time.Time
	stop func() // nil before the first news

	mu   sync.Mutex
	text string
}

// sayEach is how often the log is told.
const sayEach = 10 * time.Second

// progress is a [history.Progress].
func (o *opening) progress(of string, events, all int64) {
	percent := 100 * events / max(all, 1)
	o.mu.Lock()
	o.text = fmt.Sprintf("the history is being upgraded: %d %% of its events are summed up by %s; agents keep theirs meanwhile", percent, of)
	o.mu.Unlock()
	if o.stop == nil {
		o.stop = o.serve()
	}
	now := o.now()
	if now.Sub(o.said) < sayEach && events < all {
		return
	}
	o.said = now
	o.logger.Info("upgrading the history", "summed up by", of, "percent", percent, "events", all)
	cli.Status(o.text)
}

// serve answers every command with how far it is. What it returns ends that.
func (o *opening) serve() (stop func()) {
	listener, err := control.Listen(o.socket)
	if err != nil {
		return func() {} // who serves it after the upgrade will say so
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = control.Serve(ctx, listener, control.Handle(func(context.Context, json.RawMessage) (struct{}, error) {
			o.mu.Lock()
			defer o.mu.Unlock()
			return struct{}{}, errors.New(o.text)
		}))
	}()
	return func() {
		cancel()
		<-done
	}
}

// close leaves the socket to the display.
func (o *opening) close() {
	if o.stop != nil {
		o.stop()
	}
}
