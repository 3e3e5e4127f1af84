package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

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
