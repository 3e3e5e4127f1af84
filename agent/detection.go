package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pialert/pialert/agent/internal/detect"
	"github.com/pialert/pialert/agent/internal/detect/episode"
	"github.com/pialert/pialert/agent/internal/ingest"
	"github.com/pialert/pialert/agent/internal/watch"
	"github.com/pialert/pialert/pkg/attack"
)

// detection is one run of following and detecting under one configuration. A reload ends it and
// starts another, which goes on from what the spool holds, as after a restart.
type detection struct {
	pipeline *ingest.Pipeline
	files    *watch.Files
	journal  *watch.Journal // nil if none is followed
	logger   *slog.Logger
}

// journalMatches chooses what is read of the journal: the syslog facilities auth, authpriv, mail
// and ftp (RFC 5424, section 6.2.1), to which the daemons log that rules know.
var journalMatches = []string{"SYSLOG_FACILITY=4", "SYSLOG_FACILITY=10", "SYSLOG_FACILITY=2", "SYSLOG_FACILITY=11"}

// newDetection prepares a run: the engine gets back what it remembered. It starts nothing.
func (d *daemon) newDetection(cfg Config) (*detection, error) {
	rules, err := loadRules(cfg, "")
	if err != nil {
		return nil, err
	}
	ignored, err := cfg.ignored()
	if err != nil {
		return nil, err
	}
	sources, err := sourcesOf(cfg, time.Now())
	if err != nil {
		return nil, err
	}
	if sources.auth != "" {
		d.logger.Info("found out where logins are logged", "journal", sources.journal != nil, "because", sources.auth)
	}
	run := &detection{logger: d.logger}
	run.pipeline, err = ingest.New(ingest.Options{
		Detector: func(emit func(*attack.Event)) (ingest.Detector, error) {
			engine, err := detect.New(detect.Options{
				Rules:  rules,
				Ignore: ignored,
				Floods: &episode.Limits{
					MaxRequests: uint32(cfg.Flood.MaxRequests), Window: time.Duration(cfg.Flood.Window),
					MaxSources: episode.DefaultLimits.MaxSources,
				},
				Remember: true,
				Emit:     func(e *attack.Event, _ uint64) { emit(e) },
			})
			return newDetector(engine, sources.types, d.logger), err
		},
		Store: d.spool, State: d.spool.State(), Watched: d.watched, Logger: d.logger,
	})
	if err != nil {
		return nil, err
	}
	restore := run.pipeline.Position
	run.files, err = watch.NewFiles(watch.Options{Sources: sources.files, Restore: restore, Logger: d.logger})
	if err != nil {
		return nil, err
	}
	if sources.journal != nil {
		run.journal = watch.NewJournal(watch.JournalOptions{
			Name: sourceJournal, Matches: journalMatches, Start: startOf(*sources.journal), Restore: restore, Logger: d.logger,
		})
	}
	return run, nil
}

// Run follows and detects until ctx ends.
func (run *detection) Run(ctx context.Context) error {
	watching, ctx := errgroup.WithContext(ctx)
	watching.Go(func() error { return run.files.Run(ctx, run.feed) })
	if run.journal != nil {
		watching.Go(func() error { return run.followJournal(ctx) })
	}
	watching.Go(func() error { return run.pipeline.Run(ctx) })
	if err := watching.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("cannot follow the logs: %w", err)
	}
	return nil
}

// feed gives what a source read to the pipeline.
func (run *detection) feed(ctx context.Context, chunk watch.Chunk) error {
	return run.pipeline.Feed(ctx, ingest.Chunk{
		Name: chunk.Name, Source: chunk.Source, Data: chunk.Data,
		Position: chunk.Position, Forget: chunk.Forget, Observed: chunk.Observed,
	})
}

// followJournal follows the journal. Where there is no journalctl the other logs are followed
// nevertheless.
func (run *detection) followJournal(ctx context.Context) error {
	err := run.journal.Run(ctx, run.feed)
	if errors.Is(err, watch.ErrNoJournal) {
		run.logger.Error("going on without the journal", "error", err)
		return nil
	}
	return err
}

// stats returns what is known of each source.
func (run *detection) stats() []watch.SourceStats {
	stats := run.files.Stats()
	if run.journal != nil {
		stats = append(stats, run.journal.Stats()...)
	}
	return stats
}
