package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/pialert/pialert/agent/internal/exempt"
	"github.com/pialert/pialert/agent/internal/source"
	"github.com/pialert/pialert/agent/internal/source/syslog"
	"github.com/pialert/pialert/agent/internal/spool"
	"github.com/pialert/pialert/agent/internal/uplink"
	"github.com/pialert/pialert/agent/internal/uplink/nats"
	"github.com/pialert/pialert/pkg/broker"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/control"
	"github.com/pialert/pialert/pkg/link"
	"github.com/pialert/pialert/pkg/paircmd"
	"github.com/pialert/pialert/pkg/pairing"
	"github.com/pialert/pialert/pkg/socket"
)

func runCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Follow the logs and deliver what is found, until told to stop",
		Long: `run is what the systemd unit starts. SIGHUP reloads the configuration: a valid one takes over
without losing a line or a connection, an invalid one is reported and changes nothing. What
concerns connections and files of its own (name, state, control, metrics, link, spool, report,
intake) takes effect at the next start.`,
		Example: "  pialert-agent run --config /etc/pialert/agent.yaml",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return cli.Run(command, s.Load, func(c Config) cli.Log { return c.Log },
				func(cfg Config, logger *slog.Logger) (*daemon, error) { return newDaemon(cfg, s.Load, logger) })
		},
	}
}

// gcPercent is how much garbage may pile up, in percent of what is in use. The agent rests nearly always,
// on servers that have other things to do with their memory, so it collects earlier than Go's usual 100.
const gcPercent = 50

// daemon is the running agent.
type daemon struct {
	cfg     Config
	load    func() (Config, error)
	logger  *slog.Logger
	started time.Time

	keyring     *pairing.Keyring
	invitations *pairing.Invitations
	spool       *spool.Spool
	scraped     *socket.Late // where metrics are served
	listener    *link.Listener
	dialer      *link.Dialer
	broker      *nats.Uplink // nil unless the configuration says so
	displays    *exempt.Displays

	replacements chan replacement
	inherited    cli.Inherited
	ports        syslog.Ports[Syslog] // in use

	mu        sync.Mutex
	detection *detection // guarded by mu: a reload replaces it
}

// newDaemon opens what the agent keeps on disk. It starts nothing.
func newDaemon(cfg Config, load func() (Config, error), logger *slog.Logger) (*daemon, error) {
	if err := errors.Join(cli.Become(cfg.State, cfg.Control, cfg.Link.Relay), cli.CheckState(cfg.State)); err != nil {
		return nil, err
	}
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
		keyring: keyring, invitations: &pairing.Invitations{}, replacements: make(chan replacement), spool: kept,
		scraped:   &socket.Late{What: "metrics", Key: "metrics", Address: cfg.Metrics, Logger: logger},
		inherited: cli.InheritedSockets(), displays: exempt.RememberDisplays(cfg.State, logger),
	}
	d.listener = &link.Listener{Keyring: keyring, Invitations: d.invitations, Log: logger}
	d.dialer = &link.Dialer{Keyring: keyring, Log: logger}
	if cfg.Link.Dial == broker.Dial {
		d.broker = nats.New(nats.Options{
			Uplink:  uplink.Options{Version: cli.Release(), Spool: kept, Logs: d.logs, Logger: logger},
			Keyring: keyring, Broker: cfg.Link.NATS.Config, Stored: cfg.Link.NATS.Acknowledged == acknowledgedStored,
		})
	}
	if d.detection, err = d.newDetection(cfg); err != nil {
		return nil, errors.Join(err, kept.Close())
	}
	return d, nil
}

// Run works until ctx ends. Then it stops in the order of a line's way: the watchers, the last
// commit, the streams, the spool.
func (d *daemon) Run(ctx context.Context) error {
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	defer d.spool.Close()
	sockets, err := d.listen(ctx)
	if err != nil {
		return paircmd.Explain(err, pairing.Agent, d.cfg.State)
	}
	controls, err := control.Listen(d.cfg.Control)
	if err != nil {
		return err
	}
	reports, err := d.listenReports()
	if err != nil {
		return err
	}
	taker, err := d.newIntake()
	if err != nil {
		return err
	}
	var takes net.Listener
	if taker != nil {
		if takes, err = d.listenIntake(ctx); err != nil {
			return err
		}
	}
	links, stopLinks := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLinks()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer stopLinks()
		return d.detect(ctx)
	})
	group.Go(func() error { return cli.Reload(ctx, d.logger, d.load, d.reload(ctx)) })
	group.Go(func() error { return d.follow(ctx) })
	group.Go(func() error { return control.Serve(ctx, controls, d.controls()) })
	if reports != nil {
		group.Go(func() error { return control.Serve(ctx, reports, d.reports()) })
	}
	if taker != nil {
		group.Go(func() error { return taker.Serve(ctx, takes) })
	}
	group.Go(func() error { return d.scraped.Run(ctx, d.serveMetrics) })
	group.Go(func() error { return d.listener.Run(links, sockets, d.deliver) })
	if d.broker != nil {
		group.Go(func() error { return d.broker.Run(links) })
	} else {
		group.Go(func() error { return d.dialer.Run(links, d.deliver) })
	}
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
	if d.cfg.Link.Dial == link.DialSSH {
		if err := os.MkdirAll(filepath.Dir(d.cfg.Link.Relay), 0o755); err != nil {
			return nil, fmt.Errorf("cannot make the relay socket's folder: %w", err)
		}
	}
	return link.Listen(ctx, d.cfg.Link.sockets()...)
}

// detect runs one detection after another: a reload ends one and starts the next.
func (d *daemon) detect(ctx context.Context) error {
	for {
		run := d.current()
		d.ports.Use(run.listens, run.ports)
		running, stop := context.WithCancelCause(ctx)
		ended := make(chan error, 1)
		go func() { ended <- run.Run(running) }()
		var next replacement
		select {
		case err := <-ended:
			stop(nil)
			return err
		case next = <-d.replacements:
			d.ports.Retire(next.cfg.Syslog)
			stop(source.ErrAgain)
		}
		if err := <-ended; err != nil {
			return err
		}
		fresh, err := d.newDetection(next.cfg)
		if err != nil {
			// It was tried a moment ago; only what it needs may have gone meanwhile.
			return fmt.Errorf("cannot go on after a reload: %w", err)
		}
		fresh.reloaded = true
		d.mu.Lock()
		d.detection = fresh
		d.mu.Unlock()
		close(next.done)
	}
}

// replacement is a configuration that a detection is to be replaced by.
type replacement struct {
	cfg  Config
	done chan struct{} // closed when it is in force
}

// reload has the detection replaced by one of another configuration, if that can be used.
func (d *daemon) reload(ctx context.Context) func(Config) error {
	return func(cfg Config) error {
		if fault := d.current().pipeline.Fault(); fault != nil && len(d.current().ports) > 0 {
			return fmt.Errorf("cannot reload while the spool cannot be written: messages of syslog would be lost: %w", fault.Err)
		}
		if _, err := d.newDetection(cfg); err != nil {
			return err
		}
		next := replacement{cfg, make(chan struct{})}
		select {
		case d.replacements <- next:
		case <-ctx.Done():
			return nil
		}
		select {
		case <-next.done:
		case <-ctx.Done():
		}
		return nil
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
