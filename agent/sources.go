package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/pialert/pialert/agent/internal/source"
	"github.com/pialert/pialert/agent/internal/source/file"
	"github.com/pialert/pialert/agent/internal/source/journal"
)

// journalMatches chooses what is read of the journal: the syslog facilities auth, authpriv, mail
// and ftp (RFC 5424, section 6.2.1), to which the daemons log that rules know.
var journalMatches = []string{"SYSLOG_FACILITY=4", "SYSLOG_FACILITY=10", "SYSLOG_FACILITY=2", "SYSLOG_FACILITY=11"}

// followed is what the configuration says to follow, sorted by who reads it.
type followed struct {
	files   []file.Log
	journal *LogSource
	types   map[string]LogSource // by the name that its chunks have
	auth    string               // why auto is what it is; empty if nothing is
}

// logsOf sorts the configured logs. A source of the path auto becomes the authentication log
// of this system, a file or the journal.
func logsOf(cfg Config, now time.Time) (followed, error) {
	f := followed{types: map[string]LogSource{}}
	for i, log := range cfg.Logs {
		path := log.Path
		if path == sourceAuto {
			found := source.FindAuth(os.DirFS("/"), now)
			if path = found.Path; path == "" {
				path = sourceJournal
			}
			f.auth = found.Reason
		}
		if path == sourceJournal {
			f.journal = &cfg.Logs[i]
			f.types[sourceJournal] = log
			continue
		}
		absolute, err := filepath.Abs(path)
		if err != nil {
			return followed{}, fmt.Errorf("cannot find logs[%d].path %s: %w", i, path, err)
		}
		name := fmt.Sprintf("%d:%s", i, absolute)
		f.files = append(f.files, file.Log{Name: name, Paths: []string{absolute}, Start: startOf(log)})
		f.types[name] = log
	}
	return f, nil
}

func startOf(log LogSource) source.Start {
	if log.Start == "beginning" {
		return source.Beginning
	}
	return source.End
}

// open returns the sources that read what is to be followed, believing senders as trust says. lastStored is when
// positions were stored last. It starts nothing.
func (f *followed) open(restore source.Restore, lastStored time.Time, trust source.Trust, logger *slog.Logger) ([]source.Source, error) {
	files, err := file.New(file.Options{
		Logs: f.files, Restore: restore, Logger: logger, LastStored: lastStored, CaughtUp: debug.FreeOSMemory,
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
