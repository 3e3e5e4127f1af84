package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pialert/pialert/agent/internal/policy/replay"
	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/agent/internal/scan"
	"github.com/pialert/pialert/agent/internal/source/journal"
	"github.com/pialert/pialert/pkg/escape"
)

// past reads the configured logs. What could not be read is the error; the rest is good.
func (c *Config) past(ctx context.Context, s *settings, from time.Time, progress io.Writer) (*replay.Past, error) {
	p := &replay.Past{}
	followed := logsOf(*c, time.Now())
	var problems []error
	read := func(log LogSource, files []string) {
		options := scan.Options{Files: files, Type: rule.Type(log.Type), LogFormat: log.Format, Since: from, Stdout: io.Discard, Now: time.Now}
		var err error
		if options.Detect, err = detectOptions(s, ""); err != nil {
			problems = append(problems, err)
			return
		}
		options.Journal = func(ctx context.Context, to io.Writer) error {
			return journal.New(journal.Options{Name: sourceJournal, Matches: journalMatches}).Read(ctx, from, time.Time{}, to)
		}
		options.Each = p.Add
		if _, err := scan.Run(ctx, options); err != nil && !errors.Is(err, scan.ErrNothingRead) {
			problems = append(problems, err)
		}
	}
	for _, log := range followed.files {
		if files := withRotated(log.Paths, from); len(files) > 0 {
			fmt.Fprintf(progress, "reading %s\n", escape.Text(strings.Join(files, " ")))
			read(followed.types[log.Name], files)
		}
	}
	if followed.journal != nil {
		fmt.Fprintln(progress, "reading the journal")
		read(*followed.journal, []string{sourceJournal})
	}
	if p.Full() {
		problems = append(problems, fmt.Errorf("only the first %d events were looked at; give a later --since", replay.MaxEvents))
	}
	return p, errors.Join(problems...)
}

// withRotated returns the files of patterns and what they were rotated to, as far as they were written to
// since.
func withRotated(patterns []string, since time.Time) (files []string) {
	for _, pattern := range patterns {
		matches, _ := filepath.Glob(pattern + "*") // Validate knows the pattern
		for _, path := range matches {
			info, err := os.Stat(path)
			if err == nil && info.Mode().IsRegular() && info.ModTime().After(since) && !slices.Contains(files, path) {
				files = append(files, path)
			}
		}
	}
	return files
}
