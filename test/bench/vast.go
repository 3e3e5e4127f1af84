package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pialert/pialert/packaging/demo/program"
)

// What a display of a fleet is measured with: so many events a day, of so many agents; of 90 days they are fifty million.
const (
	vastDaily  = 50_000_000 / 90
	vastAgents = 5_000
	vastTries  = 5
)

// vast measures what the display of a large fleet answers, and how fast. The first answer of each sort is not counted.
func (b *bench) vast(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Hour)
	defer cancel()
	crowd, err := b.buildCrowd(ctx)
	if err != nil {
		return err
	}
	peers, err := b.peers(ctx, crowd, vastAgents)
	if err != nil {
		return err
	}
	pair, err := program.LayOut(b.dir, b.programs, program.Settings{Dial: "agent", Page: true, Display: "history: {max_age: 3650d, max_bytes: 64GiB}\n"})
	if err != nil {
		return err
	}
	state := filepath.Join(b.dir, "display")
	if b.vastState == "" {
		err = os.Mkdir(state, 0o700)
	} else if err = os.MkdirAll(b.vastState, 0o700); err == nil {
		err = os.Symlink(b.vastState, state)
	}
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(state, "peers.json"), peers, 0o600); err != nil {
		return err
	}
	events := vastDaily * b.vastDays
	what := fmt.Sprintf("%s agents, %s events of %d days: ", thousands(vastAgents), thousands(events), b.vastDays)
	path := filepath.Join(state, "history.db")
	if _, err := os.Stat(path); err != nil { // it was not kept
		if err := b.makeVast(ctx, pair, path, events); err != nil {
			return fmt.Errorf("cannot make a vast history: %w", err)
		}
	}
	begun := time.Now()
	display, err := pair.StartDisplay()
	if err != nil {
		return err
	}
	defer func() { display.Kill() }()
	if err := served(ctx, pair.Page); err != nil {
		return fmt.Errorf("%w\n%s", err, display.Stderr)
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	used, err := processorTime(display.Pid())
	if err != nil {
		return err
	}
	row(what+"until the display serves, with roll-ups if these are made by an upgrade; the file", "", "%.0f s, %.0f s of a core; %.1f GiB",
		time.Since(begun).Seconds(), used.Seconds(), float64(info.Size())/(1<<30))
	for _, page := range []string{"/", "/history", "/history?by=agent", "/history?range=7d", "/history?range=90d", "/history?range=90d&by=agent", "/sources", "/sources?range=90d", "/source/14.2.20.24", "/user?user=root", "/agents", "/counters", "/search?q=14.2.20.24"} {
		took, core, err := tries(display, func() error {
			answer, err := get(ctx, pair.Page+page)
			if err != nil {
				return err
			}
			defer answer.Body.Close()
			text, err := io.ReadAll(answer.Body)
			if err == nil && answer.StatusCode >= 400 {
				err = fmt.Errorf("%s: %s\n%.500s", page, answer.Status, text)
			}
			return err
		})
		if err != nil {
			return err
		}
		row(what+"the page `"+page+"`", "below 100 ms", "%.0f ms of a core, %.0f ms by the clock", core.Seconds()*1000, took.Seconds()*1000)
	}
	for _, command := range []string{"status", "fleet status", "today", "top sources", "top sources --since 7d", "top networks", "top users", "top agents", "events", "peers"} {
		took, core, err := tries(display, func() error { _, err := pair.Display(ctx, strings.Fields(command)...); return err })
		if err != nil {
			return err
		}
		row(what+"`"+command+"`, by the clock with its start", "below 100 ms", "%.0f ms of a core, %.0f ms by the clock", core.Seconds()*1000, took.Seconds()*1000)
	}
	return nil
}

// makeVast makes a history of the days before now. Nothing of it is there if that fails.
func (b *bench) makeVast(ctx context.Context, pair *program.Pair, path string, events int) (err error) {
	defer func() {
		if err != nil {
			os.Remove(path)
		}
	}()
	display, err := pair.StartDisplay() // it makes the file
	if err != nil {
		return err
	}
	defer display.Kill()
	if err := served(ctx, pair.Page); err != nil {
		return fmt.Errorf("%w\n%s", err, display.Stderr)
	}
	if err := display.Stop(ctx); err != nil {
		return err
	}
	begun := time.Now()
	err = fill(ctx, path, events, vastAgents, b.vastDays)
	fmt.Fprintf(os.Stderr, "%s events were made in %.0f s\n", thousands(events), time.Since(begun).Seconds())
	return err
}

// tries returns how long something takes at best, after it was done once: by the clock, and the display's processor time.
func tries(display *program.Process, do func() error) (clock, core time.Duration, err error) {
	var took, used []time.Duration
	for range vastTries + 1 {
		before, err := processorTime(display.Pid())
		if err != nil {
			return 0, 0, err
		}
		begun := time.Now()
		if err := do(); err != nil {
			return 0, 0, err
		}
		took = append(took, time.Since(begun))
		after, err := processorTime(display.Pid())
		if err != nil {
			return 0, 0, err
		}
		used = append(used, after-before)
	}
	return best(took[1:]), best(used[1:]), nil
}
