package nats

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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
		ask := func(request string, from int) {
			b.server.join(t.Context(), fmt.Sprintf("pialert.v1.join.D.A%d", from), []byte(request), func(answer []byte) {
				if string(answer) == "welcome" {
					answered++
				}
			})
		}
		for n := range 1000 {
			ask("guessed", n%50)
		}
		if n := b.server.Status().Dropped.Joins; n != 1000-maxJoins {
			t.Errorf("%d requests were refused while %d wait, want %d", n, maxJoins, 1000-maxJoins)
		}
		close(open)
		synctest.Wait()
		if n := b.server.Status().Dropped.Joins; n != 1000 {
			t.Errorf("%d requests were refused, want all 1000", n)
		}
		for range 1000 { // of one, whom nobody waits for
			ask("guessed", 0)
		}
		ask("right", 77)
		synctest.Wait()
		if n := b.server.Status().Dropped.Joins; answered != 1 || n != 2000 {
			t.Errorf("the right one was answered %d times, and %d were refused", answered, n)
		}
		if lines := strings.Count(log.String(), "\n"); lines == 0 || lines > 20 {
			t.Errorf("the log has %d lines:\n%s", lines, &log)
		}
	})
}
