package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pialert/pialert/agent/internal/detect"
	"github.com/pialert/pialert/agent/internal/enforce"
	"github.com/pialert/pialert/agent/internal/ignore"
	"github.com/pialert/pialert/agent/internal/ingest"
	"github.com/pialert/pialert/agent/internal/intake"
	"github.com/pialert/pialert/agent/internal/responder"
	"github.com/pialert/pialert/agent/internal/source"
	"github.com/pialert/pialert/agent/internal/source/syslog"
	"github.com/pialert/pialert/pkg/attack"
)

// detection is one run of following and detecting under one configuration. A reload ends it and
// starts another, which goes on from what the spool holds, as after a restart.
type detection struct {
	pipeline  *ingest.Pipeline
	detector  *detector
	reports   *intake.Memory // within the pipeline's calls only
	sources   []source.Source
	ports     []*syslog.Port // among the sources
	listens   []Syslog       // what they were made of
	ignored   *ignore.List
	logger    *slog.Logger
	responses *enforce.Enforcer
	responder responder.Client
	allowed   *ignore.List // who is never banned
	reloaded  bool         // the owner had the configuration read again
}

// newDetection prepares a run: the engine gets back what it remembered. It starts nothing.
func (d *daemon) newDetection(cfg Config) (*detection, error) {
	rules, err := loadRules(cfg, "")
	if err != nil {
		return nil, err
	}
	ignored, err := cfg.ignored(d.logger)
	if err != nil {
		return nil, err
	}
	logs := logsOf(cfg, time.Now())
	lines, warnings := logs.look()
	for _, line := range lines {
		d.logger.Info("following", "log", line)
	}
	for _, warning := range warnings {
		d.logger.Warn("cannot follow a log", "log", warning)
	}
	for _, rule := range rules.User() {
		if warning := rule.Warning(); warning != "" {
			d.logger.Warn("a rule is dangerous", "rule", rule.ID, "because", warning)
		}
	}
	logins, err := learned(cfg.State)
	if err != nil {
		d.logger.Warn("going on without what was learnt", "error", err)
	}
	run := &detection{ignored: ignored, logger: d.logger, reports: intake.NewMemory()}
	if err := d.respond(cfg, run); err != nil {
		return nil, err
	}
	run.pipeline, err = ingest.New(ingest.Options{
		Detector: func(emit func(*attack.Event)) (ingest.Detector, error) {
			options := detect.Options{
				Rules:  rules,
				Ignore: ignored.Contains,
				Floods: cfg.floods(), Spreads: cfg.spreads(),
				Remember: true,
				Behind:   run.behind,
				Emit: func(e *attack.Event, _ uint64) {
					if isBan(e) && !run.reports.Bans.Logged(e, e.Observed) {
						return
					}
					emit(e)
					run.responses.Look(e)
				},
			}
			engine, err := detect.New(options)
			if err != nil {
				return nil, err
			}
			for _, known := range logins {
				engine.Logins().Learn(known)
			}
			var forgeable *detect.Engine // whose events cause nothing
			if slices.ContainsFunc(cfg.Syslog, func(l Syslog) bool { return l.forgeable() }) {
				options.Emit = func(e *attack.Event, _ uint64) { emit(e) }
				if forgeable, err = detect.New(options); err != nil {
					return nil, err
				}
			}
			run.detector = newDetector(detect.Apart(engine, forgeable), logs.types, d.logger)
			return responding{reporting{run.detector, run.reports, emit}, run.responses}, nil
		},
		Store: d.spool, State: d.spool.State(), Watched: d.watched, Logger: d.logger,
	})
	if err != nil {
		return nil, err
	}
	if run.sources, err = logs.open(run.pipeline.Position, run.pipeline.Positions(), d.spool.Stats().Written, *rules.Trust(), d.logger); err != nil {
		return nil, err
	}
	run.listens = cfg.Syslog
	run.ports, err = d.ports.For(cfg.Syslog, func(l Syslog) (*syslog.Port, error) {
		return l.open(d.inherited, run.pipeline.Position, d.logger)
	})
	if err != nil {
		return nil, err
	}
	for _, p := range run.ports {
		run.sources = append(run.sources, p)
	}
	return run, nil
}

// drainFor is how long sources may take to hand on what they have read when they are to stop.
const drainFor = 5 * time.Second

// Run follows and detects until ctx ends. Then the sources stop first: what they have read is committed.
func (run *detection) Run(ctx context.Context) error {
	if err := run.responses.Begin(run.reloaded); err != nil {
		return err
	}
	watching, ctx := errgroup.WithContext(ctx)
	var following sync.WaitGroup
	for _, s := range run.sources {
		following.Add(1)
		watching.Go(func() error {
			defer following.Done()
			return run.follow(ctx, s)
		})
	}
	committing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	watching.Go(func() error {
		<-ctx.Done()
		drained := time.AfterFunc(drainFor, stop) // while the disk is full nothing can be handed on
		defer drained.Stop()
		following.Wait()
		stop()
		return nil
	})
	watching.Go(func() error { return run.ignored.Run(ctx) })
	watching.Go(func() error { return run.pipeline.Run(committing) })
	watching.Go(func() error { return run.allowed.Run(ctx) })
	watching.Go(func() error { return run.responses.Run(ctx) })
	if err := watching.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("cannot follow the logs: %w", err)
	}
	return nil
}

// feed gives what a source read to the pipeline.
func (run *detection) feed(ctx context.Context, chunk source.Chunk) error {
	return run.pipeline.Feed(ctx, ingest.Chunk{
		Name: chunk.Name, Source: chunk.Source, Data: chunk.Data,
		Position: chunk.Position, Forget: chunk.Forget, Observed: chunk.Observed, Once: chunk.Once, Committed: chunk.Committed,
	})
}

// follow reads one source. Where this machine has no such source, such as a journal, the others are
// followed nevertheless.
func (run *detection) follow(ctx context.Context, s source.Source) error {
	err := s.Run(ctx, run.feed)
	if errors.Is(err, source.ErrUnavailable) {
		run.logger.Error("going on without a source", "error", err)
		return nil
	}
	return err
}

// behind reports whether a log has lines that were written and not read yet.
func (run *detection) behind(log string) bool {
	return slices.ContainsFunc(run.sources, func(s source.Source) bool { return s.Behind(log) })
}

// detected returns what detection could not make an event of.
func (run *detection) detected() (stats detect.Stats) {
	run.pipeline.Inspect(func() { stats = run.detector.Stats() })
	return stats
}

// stats returns what is known of each log.
func (run *detection) stats() (stats []source.Stats) {
	for _, s := range run.sources {
		stats = append(stats, s.Stats()...)
	}
	return stats
}
