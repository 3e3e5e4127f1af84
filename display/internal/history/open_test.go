package history_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pialert/pialert/display/internal/history"
)

func TestOpenRefusesALaterFormat(t *testing.T) {
	t.Parallel()
	path := file(t)
	start(t, options(path)).stop()
	edit(t, path, "PRAGMA user_version=99")
	_, err := history.Open(options(path))
	if err == nil || !strings.Contains(err.Error(), "later version") {
		t.Errorf("error %v; want one that names a later version", err)
	}
	if found, _ := filepath.Glob(path + ".damaged*"); len(found) > 0 {
		t.Errorf("the file was set aside: %v", found)
	}
}

func TestOpenRefusesWhatItCannotWrite(t *testing.T) {
	t.Parallel()
	path := filepath.Join(file(t), "history.db")
	if err := os.WriteFile(filepath.Dir(path), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := history.Open(options(path)); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v; want one that names %s", err, path)
	}
}

func TestTwoProcessesCannotShare(t *testing.T) {
	t.Parallel()
	path := file(t)
	start(t, options(path))
	if _, err := history.Open(options(path)); err == nil || !strings.Contains(err.Error(), "other process") {
		t.Errorf("error %v; want one that names another process", err)
	}
}
