package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/pialert/pialert/agent/internal/spool"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/control"
	"github.com/pialert/pialert/pkg/link"
	"github.com/pialert/pialert/pkg/metrics"
	"github.com/pialert/pialert/pkg/pairing"
)

func runCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Follow the logs and deliver what is found, until told to stop",
		Long: `run is what the systemd unit starts. SIGHUP reloads the configuration: a valid one takes over
without losing a line or a connection, an invalid one is reported and changes nothing. What
concerns connections and files of its own (name, state, control, metrics, link, spool) takes
effect at the next start.`,
		Example: "  pialert-agent run --config /etc/pialert/agent.yaml",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			cfg, err := s.load()
			if err != nil {
				return err
			}
			logger, err := cfg.Log.Logger(command.ErrOrStderr())
			if err != nil {
				return err
			}
			d, err := newDaemon(cfg, s.load, logger)
			if err != nil {
				return err
			}
			return d.Run(command.Context())
		},
	}
}

// daemon is the running agent.
type daemon struct {
	cfg     Config
	load    func() (Config, error)
	logger  *slog.Logger
	started time.Time

	keyring     *pairing.Keyring
	invitations *pairing.Invitations
	spool       *spool.Spool
	listener    *link.Listener
	dialer      *link.Dialer

	mu        sync.Mutex
	detection *detection // guarded by mu: a reload replaces it
}

// newDaemon opens what the agent keeps on disk. It starts nothing.
func newDaemon(cfg Config, load func() (Config, error), logger *slog.Logger) (*daemon, error) {
	keyring, err := pairing.Open(cfg.State, pairing.Agent, cfg.Name)
	if err != nil {
		return nil, err
	}
	kept, err := spool.Open(spool.Options{
		Dir: filepath.Join(cfg.State, "spool"), Agent: cfg.Name, Logger: logger,
		MaxBytes: int64(cfg.Spool.MaxBytes), MaxAge: time.Duration(cfg.Spool.MaxAge),
	})
	if err != nil {
		return nil, err
	}
	d := &daemon{
		cfg: cfg, load: load, logger: logger, started: time.Now(),
		keyring: keyring, invitations: &pairing.Invitations{}, spool: kept,
	}
	d.listener = &link.Listener{Keyring: keyring, Invitations: d.invitations, Log: logger}
	d.dialer = &link.Dialer{Keyring: keyring, Log: logger}
	if d.detection, err = d.newDetection(cfg); err != nil {
		return nil, errors.Join(err, kept.Close())
	}
	return d, nil
}

// Run works until ctx ends. Then it stops in the order of a line's way: the watchers, the last
// commit, the streams, the spool.
func (d *daemon) Run(ctx context.Context) error {
	defer d.spool.Close()
	sockets, err := d.listen(ctx)
	if err != nil {
		return err
	}
	controls, err := control.Listen(d.cfg.Control)
	if err != nil {
		return err
	}
	scrapes, err := metrics.Listen(d.cfg.Metrics)
	if err != nil {
		return err
	}
	links, stopLinks := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLinks()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer stopLinks()
		return d.detect(ctx)
	})
	group.Go(func() error { return d.follow(ctx) })
	group.Go(func() error { return control.Serve(ctx, controls, d.controls()) })
	if scrapes != nil {
		group.Go(func() error { return control.Serve(ctx, scrapes, d.metrics()) })
	}
	group.Go(func() error { return d.listener.Run(links, sockets, d.deliver) })
	group.Go(func() error { return d.dialer.Run(links, d.deliver) })
	group.Go(func() error { return cli.Notify(ctx, d.alive, d.summary) })
	d.logger.Info("running", "name", d.cfg.Name, "version", cli.Release(), "key", d.keyring.Key())
	err = group.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// listen opens the sockets that displays come in by.
func (d *daemon) listen(ctx context.Context) ([]net.Listener, error) {
	if d.cfg.Link.Dial == dialSSH {
		if err := os.MkdirAll(filepath.Dir(d.cfg.Link.Relay), 0o755); err != nil {
			return nil, fmt.Errorf("cannot make the relay socket's folder: %w", err)
		}
	}
	return link.Listen(ctx, d.cfg.Link.sockets()...)
}

// detect runs one detection after another: a reload ends one and starts the next.
func (d *daemon) detect(ctx context.Context) error {
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)
	for {
		run := d.current()
		running, stop := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() { done <- run.Run(running) }()
		next, err := d.awaitReload(reload, done)
		stop()
		if next == nil {
			return err
		}
		if err := <-done; err != nil {
			return err
		}
		fresh, err := d.newDetection(*next)
		if err != nil {
			// It was tried a moment ago; only what it needs may have gone meanwhile.
			return fmt.Errorf("cannot go on after a reload: %w", err)
		}
		d.mu.Lock()
		d.detection = fresh
		d.mu.Unlock()
		d.logger.Info("reloaded the configuration")
	}
}

// awaitReload returns the configuration to go on with, or nil when the detection has ended.
func (d *daemon) awaitReload(reload <-chan os.Signal, done chan error) (*Config, error) {
	for {
		select {
		case err := <-done:
			return nil, err
		case <-reload:
			cfg, err := d.load()
			if err == nil {
				_, err = d.newDetection(cfg)
			}
			if err != nil {
				d.logger.Error("cannot reload the configuration; the old one stays", "error", err)
				continue
			}
			return &cfg, nil
		}
	}
}

func (d *daemon) current() *detection {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.detection
}

// follow keeps events for the displays that the keyring has.
func (d *daemon) follow(ctx context.Context) error {
	for {
		changed := d.keyring.Changed()
		var names []string
		for _, peer := range d.keyring.Peers() {
			names = append(names, peer.Name)
		}
		if err := d.spool.SetConsumers(names); err != nil {
			d.logger.Error("cannot write down which displays are paired", "error", err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}
