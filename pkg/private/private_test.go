package private_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pialert/pialert/pkg/private"
)

func TestWhatIsWrittenIsReadAndPrivate(t *testing.T) {
	dir := private.Dir(t.TempDir())
	if _, err := dir.Read("key", 100); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	for _, content := range []string{"first", "second"} {
		if err := dir.Write("key", []byte(content)); err != nil {
			t.Fatal(err)
		}
		if got, err := dir.Read("key", 100); err != nil || !bytes.Equal(got, []byte(content)) {
			t.Errorf("read %q, %v", got, err)
		}
	}
	if info, err := os.Stat(dir.Path("key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(dir.Path(".key*")); len(left) > 0 {
		t.Errorf("%v is left over", left)
	}
}

func TestWhatOthersCanReadIsRefused(t *testing.T) {
	dir := private.Dir(t.TempDir())
	if err := os.WriteFile(dir.Path("key"), []byte("secret"), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := dir.Read("key", 100); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a file that a group can read: %v", err)
	}
	if err := os.Chmod(dir.Path("key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := dir.Read("key", 5); err == nil {
		t.Error("a file that is too long was read")
	}
}
