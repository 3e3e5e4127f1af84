package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/responder"
	"github.com/pialert/pialert/pkg/control"
)

// A reload may name another responder: it is the one that is asked from then on, by every command.
func TestTheResponderOfAReloadIsAsked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	listener, err := control.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- control.Serve(ctx, listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.URL.Path)
			io.WriteString(w, "{}")
		}))
	}()
	d := &daemon{detection: &detection{responder: responder.Client{Socket: path + ".old"}}}
	mux := http.NewServeMux()
	d.banControls(mux)
	d.detection = &detection{responder: responder.Client{Socket: path}}
	for _, command := range []string{"/bans", "/responder", "/bans/pause"} {
		w := httptest.NewRecorder()
		if mux.ServeHTTP(w, httptest.NewRequest(http.MethodPost, command, strings.NewReader("{}"))); w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", command, w.Code, w.Body)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(asked, " "); got != "/bans /status /pause" {
		t.Errorf("asked for %q", got)
	}
}

func TestBansSayWhatWasDropped(t *testing.T) {
	var out strings.Builder
	status := responder.Status{Backends: []responder.BackendStatus{{Name: "nftables", Dropped: 7}, {Name: "hosts_deny"}, {Name: "routeros 192.0.2.1", Error: "no answer"}}}
	if err := writeBans(&out, strings.NewReader(""), status, time.Now()); err != nil {
		t.Fatal(err)
	}
	if want := "nobody is banned\n\nnftables dropped 7 packets\n\nproblem: routeros 192.0.2.1: no answer\n"; out.String() != want {
		t.Errorf("bans print %q, want %q", out.String(), want)
	}
}
