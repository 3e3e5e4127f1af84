package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A backup of a running display is restored in another folder; a running display is not replaced.
func TestBackupAndRestoreCommands(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*Config) {})
	s.commit(logins(9)...)
	file := filepath.Join(t.TempDir(), "copy.db")
	if out := s.must("backup", file); !strings.Contains(out, "bytes") {
		t.Errorf("printed %q", out)
	}
	if _, err := s.run("restore", file); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("a running display was replaced: %v", err)
	}
	if _, err := s.run("backup", t.TempDir()); err == nil || !strings.Contains(err.Error(), "it is a folder: name a file in it") {
		t.Errorf("a folder was taken: %v", err)
	}
	other := serve(t, func(*Config) {})
	other.stop()
	if out := other.must("restore", file); !strings.Contains(out, "kept as") {
		t.Errorf("printed %q", out)
	}
	restored := testDaemon(t, func(cfg *Config) { cfg.State, cfg.Control = other.cfg.State, other.cfg.Control })
	if got := restored.screen.lamps.Totals(nil, time.Now()); got != 9 {
		t.Errorf("the restored total is %d, want 9", got)
	}
	if files, err := filepath.Glob(filepath.Join(filepath.Dir(file), "*")); err != nil || len(files) != 1 {
		t.Errorf("the backup left %v", files)
	}
}
