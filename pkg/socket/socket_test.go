package socket_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pialert/pialert/pkg/socket"
)

func TestOnlyAStaleSocketIsReplaced(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	for name, make := range map[string]func() error{
		"file":            func() error { return os.WriteFile(path("file"), []byte("precious"), 0o600) },
		"empty file":      func() error { return os.WriteFile(path("empty file"), nil, 0o600) },
		"folder":          func() error { return os.Mkdir(path("folder"), 0o700) },
		"link to nothing": func() error { return os.Symlink("nowhere", path("link to nothing")) },
		"link to a stale socket": func() error {
			return os.Symlink("stale", path("link to a stale socket"))
		},
	} {
		if err := make(); err != nil {
			t.Fatal(err)
		}
		if listener, err := socket.Listen(t.Context(), path(name), 0o600); err == nil || !strings.Contains(err.Error(), "no socket has this name") {
			t.Errorf("%s: %v, error %v", name, listener, err)
		}
		if _, err := os.Lstat(path(name)); err != nil {
			t.Errorf("%s was removed", name)
		}
	}

	served, err := socket.Listen(t.Context(), path("served"), 0o660)
	if err != nil {
		t.Fatal(err)
	}
	defer served.Close()
	if info, err := os.Stat(path("served")); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("it has the mode %v, error %v", info.Mode(), err)
	}
	if _, err := socket.Listen(t.Context(), path("served"), 0o660); err == nil || !strings.Contains(err.Error(), "another program answers") {
		t.Errorf("a socket that is served: %v", err)
	}

	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path("stale")})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	again, err := socket.Listen(t.Context(), path("stale"), 0o660)
	if err != nil {
		t.Fatalf("a stale socket: %v", err)
	}
	again.Close()
}

// Only the users that are named get in; another one's connection is closed without a word.
func TestOnly(t *testing.T) {
	me := uint32(os.Getuid())
	for _, tt := range []struct {
		name  string
		users []uint32
		in    bool
	}{
		{"this user", []uint32{me}, true},
		{"one of several", []uint32{4242, me}, true},
		{"another user", []uint32{me + 1}, false},
		{"nobody", nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			listener, err := socket.Listen(t.Context(), filepath.Join(t.TempDir(), "s"), 0o666)
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				for only := socket.Only(listener, tt.users...); ; {
					conn, err := only.Accept()
					if err != nil {
						return
					}
					conn.Write([]byte{'!'})
					conn.Close()
				}
			}()
			defer listener.Close()
			conn, err := net.Dial("unix", listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if n, err := conn.Read(make([]byte, 1)); (n == 1) != tt.in {
				t.Errorf("read %d bytes, error %v", n, err)
			}
		})
	}
}

func TestUserOfNoUnixSocket(t *testing.T) {
	here, there := net.Pipe()
	defer there.Close()
	defer here.Close()
	if user, err := socket.User(here); err == nil {
		t.Errorf("a pipe belongs to user %d", user)
	}
}
