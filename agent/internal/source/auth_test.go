package source

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func TestFindAuth(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	log := &fstest.MapFile{ModTime: now.Add(-time.Hour)}
	old := &fstest.MapFile{ModTime: now.Add(-90 * 24 * time.Hour)}
	journal := &fstest.MapFile{Mode: fs.ModeDir}
	for _, test := range []struct {
		name string
		root fs.FS
		want string
	}{
		{"Debian 11", fstest.MapFS{"var/log/auth.log": log, "run/systemd/journal": journal}, "/var/log/auth.log"},
		{"a container on Debian 12", fstest.MapFS{"var/log/journal/00112233445566778899aabbccddeeff/system.journal": log}, ""},
		{"a container on Alpine", fstest.MapFS{"var/log/journal": journal, "var/log/messages": log}, "/var/log/auth.log"},
		{"Debian 12", fstest.MapFS{"run/systemd/journal": journal}, ""},
		{"Debian 12, upgraded", fstest.MapFS{"var/log/auth.log": old, "run/systemd/journal": journal}, ""},
		{"Rocky Linux", fstest.MapFS{"var/log/secure": log, "run/systemd/journal": journal}, "/var/log/secure"},
		{"Rocky Linux, as an ordinary user", closed{fstest.MapFS{"var/log/secure": log, "run/systemd/journal": journal}, "var/log/secure"}, ""},
		{"no systemd", fstest.MapFS{"var/log/auth.log": old}, "/var/log/auth.log"},
		{"nothing yet", fstest.MapFS{}, "/var/log/auth.log"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := FindAuth(test.root, now); got.Path != test.want || got.Reason == "" {
				t.Errorf("FindAuth = %+v, want path %q", got, test.want)
			}
		})
	}
}

// closed is a file system of which a file or folder may not be opened, nor anything in it be seen.
type closed struct {
	fs.FS
	path string
}

func (c closed) Open(name string) (fs.File, error) {
	if name == c.path || strings.HasPrefix(name, c.path+"/") {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return c.FS.Open(name)
}

func (c closed) Stat(name string) (fs.FileInfo, error) {
	if strings.HasPrefix(name, c.path+"/") {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrPermission}
	}
	return fs.Stat(c.FS, name)
}

func TestMailGoesTheSameWay(t *testing.T) {
	t.Parallel()
	now := time.Now()
	log, journal := &fstest.MapFile{ModTime: now}, &fstest.MapFile{Mode: fs.ModeDir}
	files := fstest.MapFS{"var/log/auth.log": log, "var/log/mail.log": log, "run/systemd/journal": journal}
	if got := FindAuth(files, now); got.Path != "/var/log/auth.log" || got.Mail != "/var/log/mail.log" {
		t.Errorf("with both files: %+v", got)
	}
	delete(files, "var/log/auth.log")
	if got := FindAuth(files, now); got.Path != "" || got.Mail != "" { // the journal has mail, too: not twice
		t.Errorf("with the journal: %+v", got)
	}
}

func TestDenied(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{"var/log/httpd/access_log": {}, "var/log/messages": {}}
	for _, test := range []struct{ closed, path, want string }{
		{"var/log/httpd", "/var/log/httpd/*_log", "/var/log/httpd"},
		{"var/log/httpd", "/var/log/httpd/access_log", "/var/log/httpd"},
		{"var/log/messages", "/var/log/messages", "/var/log/messages"},
		{"var/log/messages", "/var/log/httpd/*_log", ""},
		{"var/log/messages", "/var/log/absent/*.log", ""},
		{"var/log/messages", "/var/log/absent", ""},
	} {
		if got := Denied(closed{files, test.closed}, test.path); got != test.want {
			t.Errorf("with %s closed, %s is denied by %q, want %q", test.closed, test.path, got, test.want)
		}
	}
}
