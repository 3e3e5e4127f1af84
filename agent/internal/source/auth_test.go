package source

import (
	"io/fs"
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
		root fstest.MapFS
		want string
	}{
		{"Debian 11", fstest.MapFS{"var/log/auth.log": log, "run/systemd/journal": journal}, "/var/log/auth.log"},
		{"Debian 12", fstest.MapFS{"run/systemd/journal": journal}, ""},
		{"Debian 12, upgraded", fstest.MapFS{"var/log/auth.log": old, "run/systemd/journal": journal}, ""},
		{"Rocky Linux", fstest.MapFS{"var/log/secure": log, "run/systemd/journal": journal}, "/var/log/secure"},
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
