package hostsdeny

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func bans(all ...string) (prefixes []netip.Prefix) {
	for _, one := range all {
		prefixes = append(prefixes, netip.MustParsePrefix(one))
	}
	return prefixes
}

// wrapped are programs of which one is linked to libwrap: Debian's sshd.
var wrapped = []string{"/usr/sbin/sshd"}

func start(t *testing.T, content string) *File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hosts.deny")
	if content != "" {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return New(Options{Path: path, SSHD: wrapped})
}

func (f *File) text(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(f.options.Path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func sync(t *testing.T, f *File, want int, all ...string) {
	t.Helper()
	if changed, err := f.Sync(bans(all...)); err != nil || changed != want {
		t.Errorf("changed %d lines, %v; want %d", changed, err, want)
	}
}

func TestBansStandBetweenMarkers(t *testing.T) {
	const mine = "# mine\nALL: 192.0.2.9\n"
	f := start(t, mine)
	sync(t, f, 3, "203.0.113.7/32", "2001:db8:1:2::/64", "198.51.100.0/24")
	want := mine + begin + "\nsshd: 198.51.100.0/255.255.255.0\nsshd: 203.0.113.7\nsshd: [2001:db8:1:2::]/64\n" + end + "\n"
	if got := f.text(t); got != want {
		t.Errorf("the file is\n%s\nwant\n%s", got, want)
	}
	sync(t, f, 0, "2001:db8:1:2::/64", "203.0.113.7/32", "198.51.100.0/24")
	sync(t, f, 2, "203.0.113.8/32", "2001:db8:1:2::/64", "198.51.100.0/24")
	if err := f.Remove(); err != nil {
		t.Fatal(err)
	}
	if got := f.text(t); got != mine {
		t.Errorf("taken back, the file is\n%s", got)
	}
}

// A change is on the disk before Sync and Remove return: a folder that cannot be synced fails them.
func TestChangesAreDurable(t *testing.T) {
	f := start(t, "a\n")
	var synced []string
	f.syncDir = func(dir string) error {
		synced = append(synced, dir+": "+f.text(t))
		return syscall.EIO
	}
	_, err := f.Sync(bans("203.0.113.7/32"))
	if err := errors.Join(err, f.Remove()); !errors.Is(err, syscall.EIO) || strings.Count(err.Error(), "cannot write "+f.options.Path) != 2 {
		t.Errorf("a folder that cannot be synced: %v", err)
	}
	dir := filepath.Dir(f.options.Path) + ": a\n"
	if want := []string{dir + begin + "\nsshd: 203.0.113.7\n" + end + "\n", dir}; !slices.Equal(synced, want) {
		t.Errorf("synced %q, want %q", synced, want)
	}
}

// What somebody wrote before, behind or even between the markers stays, in its order.
func TestForeignLinesStay(t *testing.T) {
	for name, test := range map[string]struct{ had, want string }{
		"none":             {"", "B"},
		"no newline":       {"a", "a\nB"},
		"a continued line": {"a: b \\\n", "a: b \\\n\nB"},
		"behind":           {"a\n" + begin + "\nsshd: 203.0.113.1\n" + end + "\nb\n", "a\nBb\n"},
		"between":          {"a\n" + begin + "\nb\nsshd: 203.0.113.1\nvsftpd: 203.0.113.2\n" + end + "\nc\n", "a\nBb\nvsftpd: 203.0.113.2\nc\n"},
		"no end":           {"a\n" + begin + "\nsshd: 203.0.113.1\nb\nsshd: 203.0.113.2\n", "a\nBb\nsshd: 203.0.113.2\n"},
		"two blocks":       {begin + "\nsshd: 203.0.113.1\n" + end + "\na\n" + begin + "\nsshd: 203.0.113.2\n" + end + "\nb\n", "Ba\nb\n"},
		"an end alone":     {"a\n" + end + "\n", "a\n" + end + "\nB"},
	} {
		f := start(t, test.had)
		if _, err := f.Sync(bans("203.0.113.9/32")); err != nil {
			t.Error(err)
		}
		block := begin + "\nsshd: 203.0.113.9\n" + end + "\n"
		if got := strings.Replace(f.text(t), block, "B", 1); got != test.want {
			t.Errorf("%s: the file is\n%q\nwant\n%q", name, got, test.want)
		}
	}
}

func TestModeAndOwnerStay(t *testing.T) {
	f := start(t, "a\n")
	if err := errors.Join(os.Chown(f.options.Path, 12, 34), os.Chmod(f.options.Path, 0o640)); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(f.options.Path, link); err != nil {
		t.Fatal(err)
	}
	sync(t, New(Options{Path: link, SSHD: wrapped}), 1, "203.0.113.9/32")
	info, err := os.Lstat(f.options.Path)
	if err != nil {
		t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	if info.Mode() != 0o640 || owner.Uid != 12 || owner.Gid != 34 {
		t.Errorf("the file is %v of %d:%d", info.Mode(), owner.Uid, owner.Gid)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", info, err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(f.options.Path), ".*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// Whoever edits the file between the look at it and its replacement keeps what he wrote.
func TestAnEditMeanwhileIsKept(t *testing.T) {
	for name, edit := range map[string]func(path string) error{
		"in place": func(path string) error {
			return os.WriteFile(path, []byte("a\nb\n"), 0o644)
		},
		"replaced": func(path string) error {
			return errors.Join(os.WriteFile(path+".new", []byte("a\nb\n"), 0o644), os.Rename(path+".new", path))
		},
		"made": func(path string) error { return os.WriteFile(path, []byte("a\nb\n"), 0o644) },
	} {
		f := start(t, "a\n")
		if name == "made" {
			f = start(t, "")
		}
		old, err := read(f.options.Path)
		if err != nil {
			t.Fatal(err)
		}
		if err := edit(f.options.Path); err != nil {
			t.Fatal(err)
		}
		if err := old.replace([]byte("lost\n")); !errors.Is(err, ErrChanged) {
			t.Errorf("%s: %v", name, err)
		}
		if got := f.text(t); got != "a\nb\n" {
			t.Errorf("%s: the file is %q", name, got)
		}
		sync(t, f, 1, "203.0.113.9/32")
		if got := f.text(t); !strings.HasPrefix(got, "a\nb\n"+begin) {
			t.Errorf("%s: then the file is %q", name, got)
		}
	}
}

// Only where sshd reads the file is anything written; who has another one is told.
func TestSSHDMustBeLinkedToLibwrap(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for want, programs := range map[string][]string{
		"":                             {"/nonexistent", "/usr/sbin/sshd"},
		"is not linked to libwrap":     {self},
		"no sshd is installed":         {"/nonexistent"},
		"cannot tell whether /dev/nul": {"/dev/null"},
	} {
		f := start(t, "a\n")
		f.options.SSHD = programs
		_, err := f.Sync(bans("203.0.113.9/32"))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", programs, err)
		}
		if want != "" && f.text(t) != "a\n" {
			t.Errorf("%q: the file was written", programs)
		}
	}
}

func TestWhatIsNoFileIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("nowhere", link); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{path: "no plain file", t.TempDir(): "no plain file", link: "a link to what is not there"} {
		if _, err := New(Options{Path: path, SSHD: wrapped}).Sync(bans("203.0.113.9/32")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

func TestWatch(t *testing.T) {
	f := start(t, "a\n")
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	seen, done := make(chan struct{}, 1), make(chan error, 1)
	go func() {
		done <- f.Watch(ctx, func() {
			select {
			case seen <- struct{}{}:
			default:
			}
		})
	}()
	for {
		if err := os.WriteFile(f.options.Path, []byte("b\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		select {
		case <-seen:
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
			return
		case err := <-done:
			t.Fatalf("it ended: %v", err)
		case <-time.After(10 * time.Millisecond): // it does not watch yet
		}
	}
}

// Whatever a file holds, a second look finds it right, foreign lines stay, and taking back leaves what
// others wrote.
func FuzzRewrite(f *testing.F) {
	f.Add([]byte("a\n" + begin + "\nsshd: 203.0.113.1\n" + end + "\nb\n"))
	f.Add([]byte(begin + "\n" + begin + "\nx\n" + end + "\n" + end + "\n"))
	f.Add([]byte("a \\\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		all := bans("203.0.113.9/32", "2001:db8::/64")
		once, _ := rewrite(content, daemonName, all)
		twice, changed := rewrite(once, daemonName, all)
		if changed != 0 || !bytes.Equal(once, twice) {
			t.Fatalf("%q becomes %q, then %q", content, once, twice)
		}
		foreign, _, _ := split(content)
		gone, _ := rewrite(once, daemonName, nil)
		if !bytes.Equal(bytes.Join(bytes.Fields(gone), nil), bytes.Join(bytes.Fields(foreign), nil)) {
			t.Fatalf("%q of others becomes %q", foreign, gone)
		}
	})
}
