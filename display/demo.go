package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/pialert/pialert/display/internal/lamp"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/plural"
)

// The demonstration: start-up, each lamp twice, a burst that merges, and a moment to read the
// digits; under ten seconds in all.
const (
	demoStart  = 2200 * time.Millisecond
	demoStep   = 600 * time.Millisecond
	demoBurst  = 20
	demoLinger = 1500 * time.Millisecond
)

func demoCommand(s *settings) *cobra.Command {
	var driver, vcd string
	command := &cobra.Command{
		Use:   "demo",
		Short: "Sweep every lamp and count on the digits, then leave everything dark",
		Long: `demo shows what attacks will look like, with made-up events and without any server: each lamp
sweeps, a burst merges, the digits count. It takes under ten seconds and leaves everything dark.
Nothing is stored, and a running display is not needed; the pins must be free, so stop the
service before a demo on the device.`,
		Example: `  pialert-display demo --driver terminal
  pialert-display demo --driver blinkt`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			cfg, err := s.LoadReadable()
			if err != nil {
				return err
			}
			if driver != "" {
				cfg.Driver = driver
				if err := cfg.Validate(); err != nil {
					return err
				}
			}
			logger, err := cfg.Log.Logger(command.ErrOrStderr())
			if err != nil {
				return err
			}
			screen, _, err := openScreen(cfg, vcd, os.Stdout, logger)
			if err != nil {
				return err
			}
			if screen.hardware != nil {
				if err := screen.hardware.Open(); err != nil {
					return cli.Hint(errors.Join(err, screen.close()), "pialert-display demo --driver terminal draws in this terminal instead")
				}
			}
			// A terminal that is closed ends a demonstration; run reloads by this signal.
			ctx, stop := signal.NotifyContext(command.Context(), syscall.SIGHUP)
			defer stop()
			return demonstrate(ctx, screen, cfg.Lamps)
		},
	}
	command.Flags().StringVar(&driver, "driver", "", "draw with blinkt, terminal or none, whatever the configuration says")
	command.Flags().StringVar(&vcd, "vcd", "", "record what the pins do to this file, as a Value Change Dump")
	completeDriver(command)
	return command
}

// demonstrate plays made-up events on the screen.
func demonstrate(ctx context.Context, s *screen, lamps []lamp.Config) error {
	drawing, stop := context.WithCancel(ctx)
	defer stop()
	var group errgroup.Group
	group.Go(func() error { return s.Run(drawing) })
	s.lamps.SetFirst("server-a")
	pause := func(d time.Duration) {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
	}
	pause(demoStart)
	shown := 0
	play := func(route int, count uint64) {
		event, agent := demoEvent(s.lamps, route, time.Now())
		event.Count = count
		s.feed.Show(agent, []attack.Event{event})
		shown += int(count)
	}
	for i := range lamps {
		play(i, 1)
		pause(demoStep)
	}
	for n := range demoBurst {
		play(n%len(lamps), 1)
		pause(demoStep / demoBurst)
	}
	pause(demoLinger)
	stop()
	if err := group.Wait(); err != nil {
		return err
	}
	fmt.Println("demo:", plural.Count(shown, "attack"), "shown")
	return nil
}

// demoEvent returns a made-up event that a lamp shows, and the agent that it is from. A lamp that
// no event of two made-up agents reaches shows some other one's.
func demoEvent(lamps *lamp.Table, want int, now time.Time) (attack.Event, string) {
	event := attack.Event{
		Kind: attack.SSHLogin, Severity: attack.Medium, Rule: "demo", Observed: now,
		SourceIP: netip.MustParseAddr("192.0.2.7"), User: "root", Count: 1,
	}
	for _, agent := range []string{"server-a", "server-b"} {
		for _, kind := range append([]attack.Kind{attack.HTTPProbe}, attack.Kinds()...) {
			if i, _ := lamps.Route(agent, kind); i == want && kind.Attempt() {
				event.Kind, event.Severity = kind, kind.Severity()
				return event, agent
			}
		}
	}
	return event, "server-a"
}
