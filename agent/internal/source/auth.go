package source

import (
	"io/fs"
	"time"
)

// staleAfter is how long an authentication log may be silent before the journal is believed to have taken
// its place: Debian 12 and later write none by default, and an upgrade leaves the old one behind.
const staleAfter = 14 * 24 * time.Hour

// AuthSource says where a machine's authentication messages are.
type AuthSource struct {
	// Path is the log file; empty if the journal is to be read.
	Path string
	// Reason is for the log.
	Reason string
}

// FindAuth decides between a log file and the journal. root is the file system's root, as os.DirFS("/").
func FindAuth(root fs.FS, now time.Time) AuthSource {
	_, err := fs.Stat(root, "run/systemd/journal")
	journal := err == nil
	stale := ""
	for _, path := range []string{"var/log/auth.log", "var/log/secure"} { // Debian's name, Red Hat's name
		info, err := fs.Stat(root, path)
		switch {
		case err != nil || !info.Mode().IsRegular():
		case !journal:
			return AuthSource{"/" + path, "there is no journal"}
		case now.Sub(info.ModTime()) < staleAfter:
			return AuthSource{"/" + path, "it is written to"}
		default:
			stale = "/" + path
		}
	}
	switch {
	case stale != "":
		return AuthSource{"", stale + " has not been written to for two weeks, and there is a journal"}
	case journal:
		return AuthSource{"", "there is neither /var/log/auth.log nor /var/log/secure"}
	}
	return AuthSource{"/var/log/auth.log", "there is neither a log nor a journal; waiting for the file"}
}
