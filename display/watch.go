package main

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/pialert/pialert/display/internal/animate"
	"github.com/pialert/pialert/display/internal/lamp"
	"github.com/pialert/pialert/display/internal/show"
	"github.com/pialert/pialert/display/internal/terminal"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/control"
)

// picture is what the device shows, for those who watch it from elsewhere.
type picture struct {
	Frame  animate.Frame
	Totals [lamp.Max]uint64
	Grand  uint64
}

// watched is the mirror of the panel that the watch command reads.
type watched struct{ show.Latest[picture] }

func (w *watched) Picture(frame animate.Frame) { w.Change(func(p *picture) { p.Frame = frame }) }

func (w *watched) Totals(lamps []uint64, grand uint64) {
	w.Change(func(p *picture) {
		p.Totals, p.Grand = [lamp.Max]uint64{}, grand
		copy(p.Totals[:], lamps)
	})
}

// watchUpdate is one message to a watcher: what is nil did not change. It is sent as gob, since both
// ends are this program.
type watchUpdate struct {
	Lamps   []terminal.Lamp
	Picture *picture
	Events  []watchEvent
	Missed  uint64 // events that came faster than they could be sent
}

type watchEvent struct {
	At    time.Time
	Agent string
	Lamp  int
	Total uint64
	Event attack.Event
}

func init() {
	for _, detail := range attack.Details() {
		gob.Register(detail)
	}
}

// watchEvery is the least time between two pictures: a terminal far away needs no more.
const watchEvery = 30 * time.Millisecond

// watch tells a watcher what the panel draws and what arrives, until ctx ends.
func (d *daemon) watch(ctx context.Context, _ struct{}, out control.Flusher) error {
	events := d.screen.feed.Subscribe()
	var mu sync.Mutex
	encoder := gob.NewEncoder(out)
	send := func(update watchUpdate) error {
		mu.Lock()
		defer mu.Unlock()
		return errors.Join(encoder.Encode(update), out.Flush())
	}
	if err := send(watchUpdate{Lamps: legend(d.lamps())}); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		for number := uint64(0); ; {
			p, n, err := d.screen.watched.Next(ctx, number)
			if err != nil {
				return err
			}
			number = n
			if err := send(watchUpdate{Picture: &p}); err != nil {
				return err
			}
			select {
			case <-time.After(watchEvery):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	group.Go(func() error {
		for {
			shown, missed, err := events.Next(ctx)
			if err != nil {
				return err
			}
			update := watchUpdate{Missed: missed}
			for _, s := range shown {
				update.Events = append(update.Events, watchEvent{s.At, s.Agent, s.Lamp, s.Total, s.Event})
			}
			if err := send(update); err != nil {
				return err
			}
		}
	})
	return group.Wait()
}

func watchCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "watch",
		Short: "Show in this terminal what the device shows, while it does",
		Long: `watch mirrors the device in this terminal: the same lights, digits and totals at the same time, and
the events as they come. The running display feeds it over its control socket, so that it works
over SSH while the real lights work; several may watch at once. Ctrl-C ends it. Where the output
is no terminal, it prints a line for each event.`,
		Example: `  pialert-display watch
  ssh pi pialert-display watch | grep ssh_login`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			cfg, err := s.Load()
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(command.Context(), syscall.SIGHUP)
			defer stop()
			answer, err := cfg.Running().Open(ctx, "/watch", nil)
			if err != nil {
				return err
			}
			defer answer.Close()
			out := command.OutOrStdout()
			screen := terminal.Screen{}
			if file, ok := out.(*os.File); ok {
				screen = terminal.Examine(file, os.Getenv)
			}
			return watchOn(ctx, out, screen, answer)
		},
	}
}

// watchOn paints what a running display tells, until ctx or the answer ends.
func watchOn(ctx context.Context, out io.Writer, screen terminal.Screen, answer io.Reader) error {
	t := terminal.New(out, screen, nil)
	painting, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var group errgroup.Group
	group.Go(func() error { return t.Run(painting) })
	err := follow(t, gob.NewDecoder(answer))
	stop()
	if painted := group.Wait(); painted != nil || ctx.Err() != nil {
		return leave(ctx, painted)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return stopped()
	}
	return fmt.Errorf("cannot understand the display: %w", err)
}

// follow hands updates to a terminal until there is no more.
func follow(t *terminal.Terminal, updates *gob.Decoder) error {
	for {
		var update watchUpdate
		if err := updates.Decode(&update); err != nil {
			return err
		}
		if update.Lamps != nil {
			t.SetLamps(update.Lamps)
		}
		if p := update.Picture; p != nil {
			t.Totals(p.Totals[:], p.Grand)
			if err := errors.Join(t.Draw(p.Frame.Pixels), t.Show(p.Frame.Digits)); err != nil {
				return err
			}
		}
		t.Missed(update.Missed)
		for i := range update.Events {
			e := &update.Events[i]
			t.Event(e.At.Local(), e.Agent, e.Lamp, &e.Event, e.Total)
		}
	}
}
