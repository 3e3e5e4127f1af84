package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/pialert/pialert/agent/internal/detect"
	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/agent/internal/watch"
)

// followed is what the configuration says to follow, sorted by who reads it.
type followed struct {
	files   []watch.Source
	journal *LogSource
	types   map[string]LogSource // by the name that watch gives to a source's chunks
	auth    string               // why auto is what it is; empty if nothing is
}

// sourcesOf sorts the configured logs. A source of the path auto becomes the authentication log
// of this system, a file or the journal.
func sourcesOf(cfg Config, now time.Time) (followed, error) {
	f := followed{types: map[string]LogSource{}}
	for i, source := range cfg.Logs {
		path := source.Path
		if path == sourceAuto {
			found := watch.FindAuth(os.DirFS("/"), now)
			if path = found.Path; path == "" {
				path = sourceJournal
			}
			f.auth = found.Reason
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
			if chunk.Forget {
				delete(made, chunk.Source)
			}
			return source
		}
		configured := f.types[chunk.Name]
		source, err := detect.NewSource(chunk.Source, rule.Type(configured.Type), configured.Format)
		if err != nil { // the configuration was checked, so this cannot come from there
			logger.Error("cannot read a log as configured; its lines are recognised instead", "log", chunk.Source, "error", err)
			source, _ = detect.NewSource(chunk.Source, rule.TypeAuto, "")
		}
		if !chunk.Forget {
			made[chunk.Source] = source
		}
		return source
	}
}
