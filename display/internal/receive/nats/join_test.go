package nats

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
)

// Who floods a display with requests to pair keeps a few goroutines busy, is counted, and does not fill its log.
func TestAFloodOfRequestsToPair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		var log bytes.Buffer
		answered, open := 0, make(chan struct{})
		b.server.options.Logger = slog.New(slog.NewTextHandler(&log, nil))
		b.server.options.Joins = func(_ context.Context, _ string, request []byte) ([]byte, error) {
			<-open // the owner is asked
			if string(request) == "right" {
				return []byte("welcome"), nil
			}
			return []byte("no"), errors.New("no such token")
		}
		ask := func(request string) {
			b.server.join(t.Context(), "pialert.v1.join.D.A", []byte(request), func(answer []byte) {
				if string(answer) == "welcome" {
					answered++
				}
			})
		}
		for range 1000 {
			ask("guessed")
		}
		if n := b.server.Status().Dropped.Joins; n != 1000-maxJoins {
			t.Errorf("%d requests were refused while %d wait, want %d", n, maxJoins, 1000-maxJoins)
		}
		close(open)
		synctest.Wait()
		if n := b.server.Status().Dropped.Joins; n != 1000 {
			t.Errorf("%d requests were refused, want all 1000", n)
		}
		ask("right")
		synctest.Wait()
		if n := b.server.Status().Dropped.Joins; answered != 1 || n != 1000 {
			t.Errorf("the right one was answered %d times, and %d were refused", answered, n)
		}
		if lines := strings.Count(log.String(), "\n"); lines == 0 || lines > 20 {
			t.Errorf("the log has %d lines:\n%s", lines, &log)
		}
	})
}
