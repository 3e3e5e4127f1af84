package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/pialert/pialert/display/internal/fleet"
	"github.com/pialert/pialert/display/internal/geo"
	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/display/internal/lamp"
	"github.com/pialert/pialert/display/internal/notice"
	"github.com/pialert/pialert/display/internal/page"
	"github.com/pialert/pialert/display/internal/receive"
	"github.com/pialert/pialert/display/internal/receive/grpc"
	"github.com/pialert/pialert/display/internal/receive/nats"
	"github.com/pialert/pialert/pkg/broker"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/control"
	"github.com/pialert/pialert/pkg/link"
	"github.com/pialert/pialert/pkg/paircmd"
	"github.com/pialert/pialert/pkg/pairing"
	"github.com/pialert/pialert/pkg/socket"
	"github.com/pialert/pialert/pkg/wake"
)

func runCommand(s *settings) *cobra.Command {
	var driver, vcd string
	command := &cobra.Command{
		Use:   "run",
		Short: "Receive attacks and draw them, until told to stop",
		Long: `run is what the systemd unit starts. SIGHUP reloads the configuration: a valid one takes over
without losing an event or a connection, an invalid one is reported and changes nothing. What
concerns connections, files and pins (name, state, control, metrics, web, driver, link, pins, history)
takes effect at the next start.`,
		Example: `  pialert-display run --config /etc/pialert/display.yaml
  pialert-display run --driver terminal          draw in this terminal
  pialert-display run --vcd /tmp/pins.vcd        record what the pins do, for GTKWave or PulseView`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			load := func() (Config, error) {
				cfg, err := s.Load()
				if err == nil && driver != "" {
					cfg.Driver = driver
					err = cfg.Validate()
				}
				return cfg, err
			}
			return cli.Run(command, load, func(c Config) cli.Log { return c.Log },
				func(cfg Config, logger *slog.Logger) (*daemon, error) { return newDaemon(cfg, load, vcd, logger) })
		},
	}
	command.Flags().StringVar(&driver, "driver", "", "draw with blinkt, terminal or none, whatever the configuration says")
	command.Flags().StringVar(&vcd, "vcd", "", "record what the pins do to this file, as a Value Change Dump")
	completeDriver(command)
	return command
}

// daemon is the running display.
type daemon struct {
	mu      sync.Mutex
	cfg     Config // guarded by mu: a reload replaces it
	load    func() (Config, error)
	logger  *slog.Logger
	started time.Time

	keyring     *pairing.Keyring
	invitations *pairing.Invitations
	history     *history.History
	screen      *screen
	page        *page.Server
	browsed     *socket.Late // where the page is served
	scraped     *socket.Late // where metrics are
	places      *geo.Databases
	placeless   error // why places does not know all that it should
	receiver    *receive.Admission
	listener    *link.Listener
	dialer      *link.Dialer
	broker      *nats.Server    // nil unless the configuration says so
	notices     *notice.Service // guarded by mu, like the next one
	noticeFault error           // why some channel of the notices could not be opened
	worked      notice.Worked   // what notices look at; the planner's alone
	renotice    wake.Bell       // rings when a reload replaced notices
}

// newDaemon opens what the display keeps on disk and what it draws with. It starts nothing.
func newDaemon(cfg Config, load func() (Config, error), vcd string, logger *slog.Logger) (*daemon, error) {
	if err := errors.Join(cli.Become(cfg.State, cfg.Control), cli.CheckState(cfg.State)); err != nil {
		return nil, err
	}
	keyring, err := pairing.Open(cfg.State, pairing.Display, cfg.Name)
	if err != nil {
		return nil, err
	}
	d := &daemon{cfg: cfg, load: load, started: time.Now(), keyring: keyring, invitations: &pairing.Invitations{}, renotice: wake.New()}
	if d.screen, d.logger, err = openScreen(cfg, vcd, os.Stdout, logger); err != nil {
		return nil, err
	}
	opening := &opening{socket: cfg.Control, logger: logger, now: time.Now} // nothing is drawn over its log yet
	d.history, err = history.Open(history.Options{
		Path: historyFile(cfg), MaxAge: time.Duration(cfg.History.MaxAge),
		NetworksOnly: cfg.History.Addresses == 0, AddressAge: time.Duration(cfg.History.Addresses), MaxBytes: int64(cfg.History.MaxBytes), Interval: time.Duration(cfg.History.Interval),
		Zone: d.screen.lamps.Zone, Logger: d.logger, Progress: opening.progress,
	})
	opening.close()
	if err != nil {
		return nil, errors.Join(err, d.screen.close())
	}
	if err := d.loadTotals(context.Background()); err != nil {
		return nil, errors.Join(err, d.history.Close(), d.screen.close())
	}
	if d.places, d.placeless = geo.Open(cfg.Geo.Database, cfg.Geo.Networks); d.placeless != nil {
		d.logger.Error("cannot say where all addresses are; going on without", "error", d.placeless)
	}
	d.page = d.newPage()
	d.browsed = &socket.Late{What: "the page", Key: "web.listen", Address: cfg.Web.Listen, Logger: d.logger}
	d.scraped = &socket.Late{What: "metrics", Key: "metrics", Address: cfg.Metrics, Logger: d.logger}
	if cfg.Web.Listen != "" {
		d.screen.panel.AddMirror(d.page)
	}
	d.receiver = receive.New(receive.Options{Store: d.history, Show: d.screen.feed, Logger: d.logger})
	d.listener = &link.Listener{Keyring: keyring, Invitations: d.invitations, Log: d.logger}
	d.dialer = &link.Dialer{Keyring: keyring, Log: d.logger, SSH: cfg.Link.SSH.login()}
	if cfg.Link.Dial == broker.Dial {
		system := "" // only the display that began the fleet has them
		if authority, err := fleet.Open(fleetDir(cfg)); err == nil {
			system = authority.SystemCredentials()
		}
		d.broker = nats.New(nats.Options{
			System: system, Admission: d.receiver, Keyring: keyring, Broker: cfg.Link.NATS.Config, Agents: cfg.Link.NATS.Agents,
			Room:    broker.Room{Replicas: cfg.Link.NATS.Replicas, MaxBytes: int64(cfg.Link.NATS.MaxBytes)},
			Version: cli.Release(), Logger: d.logger, Paired: d.nameFirst, Joins: d.joinByBroker,
		})
	}
	return d, d.openNotices(cfg)
}

// nameFirst tells the lamps which agent was paired first, and the terminal what they count.
func (d *daemon) nameFirst() {
	names := d.paired()
	if len(names) == 0 {
		return
	}
	d.screen.lamps.SetFirst(names[0])
	if d.screen.terminal != nil {
		d.screen.terminal.SetLamps(legend(d.lamps()))
	}
}

// paired returns the names of the agents in the order in which they were paired.
func (d *daemon) paired() []string {
	return inOrder(d.keyring.Peers())
}

// lamps returns the lamps in force, with labels that name the agents of this house.
func (d *daemon) lamps() []lamp.Config { return lamp.Named(d.configuration().Lamps, d.paired()) }

// Run works until ctx ends. Then it stops in the order of an event's way: the streams, the last
// commit, the panel, which leaves everything dark.
func (d *daemon) Run(ctx context.Context) error {
	defer d.history.Close()
	defer d.places.Close()
	var addresses []string
	if d.cfg.Link.Dial == link.DialAgent {
		addresses = append(addresses, d.cfg.Link.Listen)
	}
	sockets, err := link.Listen(ctx, addresses...)
	if err != nil {
		return paircmd.Explain(err, pairing.Display, d.cfg.State)
	}
	controls, err := control.Listen(d.cfg.Control)
	if err != nil {
		return err
	}
	web, err := d.openWeb()
	if err != nil {
		return err
	}
	drawing, stopDrawing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopDrawing()
	storing, stopStoring := context.WithCancel(context.WithoutCancel(ctx))
	defer stopStoring()

	last, ctx := errgroup.WithContext(ctx) // what stops last, the panel and the history
	last.Go(func() error { return d.screen.Run(drawing) })
	last.Go(func() error {
		defer stopDrawing()
		return d.history.Run(storing)
	})
	last.Go(func() error {
		defer stopStoring()
		return d.serve(ctx, sockets, controls, web)
	})
	err = last.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// serve runs everything that only lives as long as ctx.
func (d *daemon) serve(ctx context.Context, sockets []net.Listener, controls net.Listener, web *web) error {
	cfg := d.configuration()
	group, ctx := errgroup.WithContext(ctx)
	accepted := link.NewAccepted()
	handle := func(ctx context.Context, conn *link.Conn) error {
		d.nameFirst() // the first agent has lamps of its own, from its first event on
		return accepted.Handle(ctx, conn)
	}
	streams := grpc.New(grpc.Options{Admission: d.receiver, Version: cli.Release()})
	group.Go(func() error { return streams.Run(ctx, accepted) })
	group.Go(func() error { return d.listener.Run(ctx, sockets, handle) })
	if d.broker != nil {
		group.Go(func() error { return d.broker.Run(ctx) })
	} else {
		group.Go(func() error { return d.dialer.Run(ctx, handle) })
	}
	group.Go(func() error { return control.Serve(ctx, controls, d.controls()) })
	group.Go(func() error { return d.scraped.Run(ctx, d.serveMetrics) })
	if web != nil {
		group.Go(func() error { return web.run(ctx) })
	}
	group.Go(func() error { return d.presence().Run(ctx) })
	group.Go(func() error { return d.runButtons(ctx) })
	group.Go(func() error { return cli.Reload(ctx, d.logger, d.load, d.reload) })
	group.Go(func() error { return d.runNotices(ctx) })
	updater, err := cfg.Link.updater(d.logger)
	if err != nil {
		return err
	}
	if updater != nil {
		group.Go(func() error { return updater.Run(ctx) })
	}
	group.Go(func() error { return cli.Notify(ctx, d.alive, d.summary) })
	d.logger.Info("running", "name", cfg.Name, "version", cli.Release(), "driver", cfg.Driver, "key", d.keyring.Key())
	return group.Wait()
}

// configuration returns the one in force.
func (d *daemon) configuration() Config {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cfg
}

// reload takes over lamps and look; nothing is lost, since totals are kept by agent and kind. The
// zone's day is the history's as well.
func (d *daemon) reload(cfg Config) error {
	zone, err := cfg.Look.Location()
	if err != nil {
		return err
	}
	before := d.screen.lamps.Zone().String()
	if err := d.screen.lamps.Configure(cfg.Lamps, zone); err != nil {
		return err
	}
	if before != zone.String() {
		all, today, now, err := d.stored(context.Background())
		if err != nil {
			return err
		}
		d.screen.lamps.SetToday(all, today, now)
	}
	if err := d.screen.panel.Configure(animated(cfg.Lamps), cfg.Look); err != nil {
		return err
	}
	if d.screen.terminal != nil {
		d.screen.terminal.SetLamps(legend(cfg.Lamps))
	}
	d.mu.Lock()
	d.cfg.Lamps, d.cfg.Look, d.cfg.Lost, d.cfg.Notices = cfg.Lamps, cfg.Look, cfg.Lost, cfg.Notices
	d.mu.Unlock()
	if err := d.openNotices(cfg); err != nil {
		return err
	}
	d.renotice.Ring()
	return nil
}
