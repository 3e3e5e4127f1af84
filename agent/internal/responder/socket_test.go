package responder_test

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/responder"
	"github.com/pialert/pialert/pkg/control"
)

// Over the socket, too, a refusal can be told from a responder that is not there, and keeps its words.
func TestErrorsOverTheSocket(t *testing.T) {
	dir := t.TempDir()
	r := open(t, options(filepath.Join(dir, "bans.db"), nil))
	defer r.Close()
	client := responder.Client{Socket: filepath.Join(dir, "socket")}
	if _, _, err := client.Ban(t.Context(), ask("9.9.9.9/32", time.Hour)); !errors.Is(err, control.ErrNotRunning) || errors.Is(err, responder.ErrRefused) {
		t.Errorf("of a responder that does not run: %v", err)
	}
	listener, err := control.Listen(client.Socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- control.Serve(ctx, listener, r.Handler()) }()
	_, _, err = client.Ban(ctx, ask("198.51.100.7/32", time.Hour))
	if want := "refused: 198.51.100.7/32 is in the responder's allow list by 198.51.100.0/24"; !errors.Is(err, responder.ErrRefused) || err.Error() != want {
		t.Errorf("of somebody who is allowed: %v, want %q", err, want)
	}
	_, err = client.Unban(ctx, netip.MustParsePrefix("9.9.9.9/32"))
	if want := "cannot unban 9.9.9.9/32: it is not banned"; !errors.Is(err, responder.ErrNotBanned) || err.Error() != want {
		t.Errorf("of somebody who is not banned: %v, want %q", err, want)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
