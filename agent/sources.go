package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pialert/pialert/agent/internal/header"
	"github.com/pialert/pialert/agent/internal/source"
	"github.com/pialert/pialert/agent/internal/source/file"
	"github.com/pialert/pialert/agent/internal/source/journal"
	"github.com/pialert/pialert/pkg/plural"
)

// journalMatches chooses what is read of the journal: the syslog facilities auth, authpriv, mail
// and ftp (RFC 5424, section 6.2.1), to which the daemons log that rules know.
var journalMatches = []string{"SYSLOG_FACILITY=4", "SYSLOG_FACILITY=10", "SYSLOG_FACILITY=2", "SYSLOG_FACILITY=11"}

// followed is what the configuration says to follow, sorted by who reads it.
type followed struct {
	files   []file.Log
	journal *LogSource
	types   map[string]LogSource // by the name that its chunks have
	listens []string             // where other machines send lines
	auth    string               // why auto is what it is; empty if nothing is
}

// logsOf sorts the configured logs. A source of the path auto becomes the authentication and mail logs
// of this system, as files or in the journal.
func logsOf(cfg Config, now time.Time) followed {
	f := followed{types: map[string]LogSource{}}
	for _, l := range cfg.Syslog {
		f.types[l.Listen] = LogSource{Hosts: hostSender, forgeable: l.forgeable()}
		f.listens = append(f.listens, l.Listen)
	}
	for i, log := range cfg.Logs {
		paths := []string{log.Path}
		if log.Path == sourceAuto {
			found := source.FindAuth(os.DirFS("/"), now)
			paths = []string{cmp.Or(found.Path, sourceJournal)}
			if found.Mail != "" {
				paths = append(paths, found.Mail)
			}
			f.auth = fmt.Sprintf("auto is %s: %s", strings.Join(paths, " and "), found.Reason)
		}
		for _, path := range paths {
			if path == sourceJournal {
				f.journal = &cfg.Logs[i]
				f.types[sourceJournal] = log
				continue
			}
			path = filepath.Clean(path)
			name := fmt.Sprintf("%d:%s", i, path)
			f.files = append(f.files, file.Log{Name: name, Paths: []string{path}, Start: startOf(log)})
			f.types[name] = log
		}
	}
	return f
}

// denied returns the sentence that says why a log cannot be read and what to do, empty if nothing
// keeps this process from it.
func denied(path string) string {
	closed := source.Denied(os.DirFS("/"), path)
	if closed == "" {
		return ""
	}
	return fmt.Sprintf("%s may not be read by this user; on this system: %s", closed, remedy(closed))
}

// remedy is the one command that lets the service read a file or folder: membership in its group, if
// that may read it, else a drop-in that comes with the program.
func remedy(path string) string {
	const restart = " && sudo systemctl restart " + program
	if info, err := os.Stat(path); err == nil {
		stat, ok := info.Sys().(*syscall.Stat_t)
		if group, err := user.LookupGroupId(strconv.Itoa(int(stat.Gid))); ok && err == nil && stat.Gid != 0 && info.Mode()&0o040 != 0 {
			return "sudo usermod -aG " + group.Name + " " + program + restart
		}
	}
	share := "/usr/share"
	if self, err := os.Executable(); err == nil && strings.HasPrefix(self, "/usr/local/") {
		share = "/usr/local/share"
	}
	return fmt.Sprintf("sudo install -D -m 0644 -t %s %s/%s/%s && sudo systemctl daemon-reload%s", dropInFolder, share, program, readAllLogs, restart)
}

// A drop-in of this name lets the service read every log.
const (
	dropInFolder = "/etc/systemd/system/" + program + ".service.d"
	readAllLogs  = "read-all-logs.conf"
)

// look describes what is followed, a line each: how many files there are, or why there are none.
func (f *followed) look() (lines, warnings []string) {
	if f.auth != "" {
		lines = append(lines, f.auth)
	}
	for _, listen := range f.listens {
		lines = append(lines, listen+": takes lines of other machines")
	}
	for _, log := range f.files {
		for _, path := range log.Paths {
			if why := denied(path); why != "" {
				warnings = append(warnings, path+": "+why)
				continue
			}
			switch files, _ := filepath.Glob(path); {
			case len(files) == 0:
				lines = append(lines, path+": nothing is there yet")
			case len(files) == 1 && files[0] == path:
				lines = append(lines, path+": is there")
			default:
				lines = append(lines, path+": "+plural.Count(len(files), "file"))
			}
		}
	}
	return lines, warnings
}

func startOf(log LogSource) source.Start {
	if log.Start == "beginning" {
		return source.Beginning
	}
	return source.End
}

// open returns the sources that read what is to be followed, believing senders as trust says. Restore has positions of
// what is stored, the last of them written at lastStored. It starts nothing.
func (f *followed) open(restore source.Restore, stored []string, lastStored time.Time, trust header.Trust, logger *slog.Logger) ([]source.Source, error) {
	files, err := file.New(file.Options{
		Logs: f.files, Restore: restore, Stored: stored, Logger: logger, LastStored: lastStored, CaughtUp: debug.FreeOSMemory,
	})
	if err != nil {
		return nil, err
	}
	sources := []source.Source{files}
	if f.journal != nil {
		sources = append(sources, journal.New(journal.Options{
			Name: sourceJournal, Matches: journalMatches, Start: startOf(*f.journal), Trust: trust, Restore: restore, Logger: logger,
		}))
	}
	return sources, nil
}
