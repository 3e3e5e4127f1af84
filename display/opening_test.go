package main

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/pkg/control"
)

// While a history is upgraded every command hears how far that is, and the log now and then; afterwards the socket is free.
func TestAnUpgradeAnswersCommands(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	o := &opening{socket: filepath.Join(t.TempDir(), "control.sock"), logger: slog.New(slog.NewTextHandler(&log, nil)), now: func() time.Time { return now }}
	client := control.Client{Path: o.socket}
	for percent := range int64(100) {
		o.progress("agents and kinds", 50_000*(percent+1), 5_000_000)
		now = now.Add(time.Second)
		if percent == 41 {
			err := client.Call(t.Context(), "/today", map[string]string{"agent": "vps"}, nil)
			if err == nil || !strings.Contains(err.Error(), "42 % of its events are summed up by agents and kinds") {
				t.Errorf("a command hears %v", err)
			}
		}
	}
	o.close()
	listener, err := control.Listen(o.socket)
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	if lines := strings.Count(log.String(), "upgrading the history"); lines != 11 || !strings.Contains(log.String(), "percent=100") {
		t.Errorf("in 100 seconds the log has %d lines:\n%s", lines, log.String())
	}
}
