package private_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
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

// A directory that root makes inside of a service's belongs to the service, and so does what is written there.
func TestWhatRootMakesIsTheOwners(t *testing.T) {
	around := t.TempDir()
	user := os.Getuid()
	if user == 0 {
		user = 4711
		if err := os.Chown(around, user, user); err != nil {
			t.Fatal(err)
		}
	}
	dir := private.Dir(filepath.Join(around, "fleet"))
	unlock, err := dir.Lock("lock")
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	if err := dir.Write("key", []byte("secret")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{string(dir), dir.Path("lock"), dir.Path("key")} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if owner := int(info.Sys().(*syscall.Stat_t).Uid); owner != user || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s belongs to %d, not %d, mode %v", path, owner, user, info.Mode())
		}
	}
}
