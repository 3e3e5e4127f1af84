package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/agent/internal/scan"
	"github.com/pialert/pialert/agent/internal/source"
	"github.com/pialert/pialert/agent/internal/source/journal"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/escape"
)

// past is what the logs say, without what a check does not need.
type past struct {
	deeds []deed
	names []string          // of rules and logs
	index map[string]uint16 // of names
}

// deed is an event: many of them are kept until they can be put in order.
type deed struct {
	at        int64 // nanoseconds since 1970
	from      netip.Addr
	count     uint32
	kind      attack.Kind
	rule, log uint16
}

func (p *past) name(text string) uint16 {
	if i, ok := p.index[text]; ok || len(p.names) > 1<<15 {
		return i
	}
	p.index[text] = uint16(len(p.names))
	p.names = append(p.names, text)
	return p.index[text]
}

// add keeps what matters of an event.
func (p *past) add(e *attack.Event) {
	if e.SourceIP.IsValid() && !e.Logged.IsZero() && len(p.deeds) < maxDeeds {
		p.deeds = append(p.deeds, deed{e.Logged.UnixNano(), e.SourceIP, uint32(min(e.Count, math.MaxUint32)), e.Kind, p.name(e.Rule), p.name(e.Log)})
	}
}

// maxDeeds bounds what is kept of the past; later ones are left out, and that is said.
const maxDeeds = 2 << 20

// past reads the configured logs. What could not be read is the error; the rest is good.
func (c *Config) past(ctx context.Context, s *settings, from time.Time, progress io.Writer) (*past, error) {
	p := &past{index: map[string]uint16{}}
	p.name("")
	followed, err := logsOf(*c, time.Now())
	if err != nil {
		return p, err
	}
	var problems []error
	read := func(log LogSource, files []string) {
		options := scan.Options{Files: files, Type: rule.Type(log.Type), LogFormat: log.Format, Since: from, Stdout: io.Discard, Now: time.Now}
		var err error
		if options.Detect, err = detectOptions(s, ""); err != nil {
			problems = append(problems, err)
			return
		}
		trust := source.Trust{RootOnly: options.Detect.Rules.RootOnly(), Setuid: options.Detect.Rules.Setuid()}
		options.Journal = func(ctx context.Context, to io.Writer) error {
			reader := journal.New(journal.Options{Name: sourceJournal, Matches: journalMatches, Trust: trust})
			return reader.Read(ctx, from, time.Time{}, func(lines []byte) error {
				_, err := to.Write(lines)
				return err
			})
		}
		options.Each = p.add
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
	if len(p.deeds) >= maxDeeds {
		problems = append(problems, fmt.Errorf("only the first %d events were looked at; give a later --since", maxDeeds))
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
