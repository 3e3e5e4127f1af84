package source

import (
	"errors"
	"io/fs"
	"path"
	"strings"
	"time"
)

// staleAfter is how long an authentication log may be silent before the journal is believed to have taken
// its place: Debian 12 and later write none by default, and an upgrade leaves the old one behind.
const staleAfter = 14 * 24 * time.Hour

// AuthSource says where a machine's authentication messages are, and those of its mail servers, which
// go the same way: to files of their own, or to the journal.
type AuthSource struct {
	// Path is the log file; empty if the journal is to be read.
	Path string
	// Mail is the log of the mail servers; empty if there is none, or the journal is to be read.
	Mail string
	// Reason is for people.
	Reason string
}

// Names of the logs that syslog daemons write: Debian's and Red Hat's.
var (
	authLogs = []string{"/var/log/auth.log", "/var/log/secure"}
	mailLogs = []string{"/var/log/mail.log", "/var/log/maillog"}
)

// FindAuth decides between log files and the journal: for what can be read and is written to. root is
// the file system's root, as os.DirFS("/").
func FindAuth(root fs.FS, now time.Time) AuthSource {
	journal := hasJournal(root)
	against := ""
	for _, path := range authLogs {
		info, err := fs.Stat(root, path[1:])
		switch {
		case err != nil || !info.Mode().IsRegular():
		case journal && Denied(root, path) != "":
			against = path + " may not be read"
		case journal && now.Sub(info.ModTime()) >= staleAfter:
			against = path + " has not been written to for two weeks"
		default:
			found := AuthSource{Path: path, Reason: "it is written to"}
			if !journal {
				found.Reason = "there is no journal"
			}
			for _, mail := range mailLogs {
				if info, err := fs.Stat(root, mail[1:]); err == nil && info.Mode().IsRegular() {
					found.Mail = mail
				}
			}
			return found
		}
	}
	switch {
	case against != "":
		return AuthSource{Reason: against + ", and there is a journal"}
	case journal:
		return AuthSource{Reason: "there is neither /var/log/auth.log nor /var/log/secure"}
	}
	return AuthSource{Path: "/var/log/auth.log", Reason: "there is neither a log nor a journal; waiting for the file"}
}

// hasJournal reports whether systemd-journald runs here, or its files are here, as they are in a
// container that the host's are mounted in.
func hasJournal(root fs.FS) bool {
	if _, err := fs.Stat(root, "run/systemd/journal"); err == nil {
		return true
	}
	for _, folder := range []string{"var/log/journal", "run/log/journal"} {
		if entries, _ := fs.ReadDir(root, folder); len(entries) > 0 {
			return true
		}
	}
	return false
}

// Denied returns what keeps this process from reading the file, or from finding the files of a
// pattern, of an absolute path: the first folder or file on the way that may not be entered or read.
// It is empty if nothing does, also where there is no such file.
func Denied(root fs.FS, name string) string {
	var way string
	for part := range strings.SplitSeq(strings.Trim(name, "/"), "/") {
		if strings.ContainsAny(part, `*?[\`) {
			break
		}
		if _, err := fs.Stat(root, path.Join(way, part)); errors.Is(err, fs.ErrPermission) {
			return "/" + way
		} else if err != nil {
			return ""
		}
		way = path.Join(way, part)
	}
	file, err := root.Open(way)
	if errors.Is(err, fs.ErrPermission) {
		return "/" + way
	}
	if err == nil {
		file.Close()
	}
	return ""
}
