package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pialert/pialert/display/internal/animate"
	"github.com/pialert/pialert/display/internal/lamp"
	"github.com/pialert/pialert/display/internal/panel"
	"github.com/pialert/pialert/display/internal/show"
	"github.com/pialert/pialert/display/internal/terminal"
	"github.com/pialert/pialert/pkg/attack"
)

// screen is what a person sees: lamps that count, the panel that animates them, and the driver
// that draws.
type screen struct {
	lamps    *lamp.Table
	panel    *panel.Panel
	feed     *show.Feed
	watched  *watched               // what the panel draws, for those who watch from elsewhere
	terminal *terminal.Terminal     // nil unless it draws there
	events   *show.Subscription     // of the terminal
	hardware *panel.Late[*hardware] // nil unless pins or a waveform are driven
	waveform *os.File               // nil unless one is recorded
}

// openScreen opens the driver; hardware is opened when it is first drawn on. Nothing is drawn before
// Run. The logger is what to log with from
// then on: a terminal that draws shows the log itself.
func openScreen(cfg Config, vcd string, out *os.File, logger *slog.Logger) (*screen, *slog.Logger, error) {
	zone, err := cfg.Look.Location()
	if err != nil {
		return nil, nil, err
	}
	s := &screen{}
	if s.lamps, err = lamp.New(cfg.Lamps, zone); err != nil {
		return nil, nil, err
	}
	scene, err := animate.New(animated(cfg.Lamps), cfg.Look, time.Now())
	if err != nil {
		return nil, nil, err
	}
	var waveform io.Writer
	if vcd != "" {
		if s.waveform, err = os.Create(vcd); err != nil {
			return nil, nil, fmt.Errorf("cannot record the waveform: %w", err)
		}
		waveform = s.waveform
	}
	var outputs panel.Outputs
	switch cfg.Driver {
	case driverBlinkt:
		s.hardware = panel.NewLate(func() (*hardware, error) { return openHardware(cfg.Pins, cfg.Wiring, waveform) })
		outputs = s.hardware.Outputs()
	case driverTerminal:
		s.terminal = terminal.New(out, terminal.Examine(out, os.Getenv), legend(cfg.Lamps))
		outputs = panel.Outputs{Strip: s.terminal, Digits: s.terminal, Legend: s.terminal}
		if s.terminal.Live() {
			if logger, err = cfg.Log.Logger(s.terminal); err != nil {
				return nil, nil, err
			}
		}
	}
	if waveform != nil && s.hardware == nil {
		s.hardware = panel.NewLate(func() (*hardware, error) { return openWaveform(cfg.Wiring, waveform), nil })
		outputs = panel.Beside(outputs, s.hardware.Outputs())
	}
	s.panel = panel.New(scene, s.lamps, outputs, logger)
	s.watched = &watched{}
	s.panel.AddMirror(s.watched)
	s.feed = show.New(counter{s.lamps}, s.panel, time.Now)
	s.events = s.feed.Subscribe()
	return s, logger, nil
}

// Run draws until ctx ends, then leaves the exit picture and gives the hardware back. Signals that
// kill do so only after that.
func (s *screen) Run(ctx context.Context) error {
	ctx, halt := context.WithCancel(ctx)
	defer halt()
	dark := make(chan struct{})
	defer close(dark)
	go dieInTheDark(halt, dark)

	drawing, stop := context.WithCancel(context.WithoutCancel(ctx))
	listing, stopListing := context.WithCancel(context.WithoutCancel(ctx))
	var group errgroup.Group
	if s.terminal != nil {
		group.Go(func() error { return s.terminal.Run(drawing) })
		group.Go(func() error {
			defer stop()
			return s.listEvents(listing)
		})
	}
	err := s.panel.Run(ctx)
	stopListing()
	err = errors.Join(err, group.Wait(), s.close())
	stop()
	return err
}

func (s *screen) close() error {
	var problems []error
	if s.hardware != nil {
		problems = append(problems, s.hardware.Close())
	}
	if s.waveform != nil {
		problems = append(problems, s.waveform.Close())
	}
	return errors.Join(problems...)
}

// listEvents lists the events on the terminal until ctx ends and none is left.
func (s *screen) listEvents(ctx context.Context) error {
	for {
		shown, missed, err := s.events.Next(ctx)
		if err != nil {
			return nil //nolint:nilerr // the context's: it is time to stop
		}
		s.terminal.Missed(missed)
		for i := range shown {
			e := &shown[i]
			s.terminal.Event(e.At, e.Agent, e.Lamp, &e.Event, e.Total)
		}
	}
}

// counter counts events on lamps as the feed asks for it.
type counter struct{ *lamp.Table }

func (c counter) Add(agent string, event *attack.Event, now time.Time) (lamp int, sweep bool, total uint64) {
	hit, ok := c.Table.Add(agent, event, now)
	if !ok {
		return -1, false, 0
	}
	return hit.Lamp, hit.Sweep, hit.Total
}
