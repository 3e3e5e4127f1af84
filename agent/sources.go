package main

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/pialert/pialert/agent/internal/detect"
	"github.com/pialert/pialert/agent/internal/watch"
)

// followed is what the configuration says to follow, sorted by who reads it.
type followed struct {
	files   []watch.Source
	journal *LogSource
	types   map[string]LogSource // by the name that watch gives to a source's chunks
}

// sourcesOf sorts the configured logs. A source of the path auto becomes the authentication log
// of this system, a file or the journal.
func sourcesOf(cfg Config) (followed, error) {
	f := followed{types: map[string]LogSource{}}
	for i, source := range cfg.Logs {
		path := source.Path
		if path == sourceAuto {
			path = authLog(time.Now())
		}
		if path == sourceJournal {
			f.journal = &cfg.Logs[i]
			f.types[sourceJournal] = source
			continue
		}
		absolute, err := filepath.Abs(path)
		if err != nil {
			return followed{}, fmt.Errorf("cannot find logs[%d].path %s: %w", i, path, err)
		}
		name := fmt.Sprintf("%d:%s", i, absolute)
		f.files = append(f.files, watch.Source{Name: name, Paths: []string{absolute}, Start: startOf(source)})
		f.types[name] = source
	}
	return f, nil
}

// stale is the age of an authentication log that nobody writes any more: a server on the internet
// is attacked many times a day.
const stale = 7 * 24 * time.Hour

// authLog returns the file to which sshd and PAM log on this system, or that it is the journal:
// Debian 12 and newer write no file unless rsyslog is installed, but one may be left over.
func authLog(now time.Time) string {
	_, noJournal := exec.LookPath("journalctl")
	for _, path := range []string{"/var/log/auth.log", "/var/log/secure"} {
		if info, err := os.Stat(path); err == nil && (noJournal != nil || now.Sub(info.ModTime()) < stale) {
			return path
		}
	}
	if noJournal != nil {
		return "/var/log/auth.log" // waited for
	}
	return sourceJournal
}

func startOf(source LogSource) watch.Start {
	if source.Start == "beginning" {
		return watch.Beginning
	}
	return watch.End
}

// readers says how the lines of each chunk are to be read: a detect.Source for each file, made at
// its first chunk.
func (f *followed) readers(logger *slog.Logger) func(watch.Chunk) *detect.Source {
	made := map[string]*detect.Source{}
	return func(chunk watch.Chunk) *detect.Source {
		if source := made[chunk.Source]; source != nil {
			return source
		}
		configured := f.types[chunk.Name]
		source, err := detect.NewSource(chunk.Source, detect.Type(configured.Type), configured.Format)
		if err != nil { // the configuration was checked, so this cannot come from there
			logger.Error("cannot read a log as configured; its lines are recognised instead", "log", chunk.Source, "error", err)
			source, _ = detect.NewSource(chunk.Source, detect.TypeAuto, "")
		}
		made[chunk.Source] = source
		return source
	}
}
