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

// What a display of a fleet is measured with: events of 90 days, of so many agents.
const (
	vastEvents = 50_000_000
	vastAgents = 5_000
	vastTries  = 5
)

// vast measures what the display of a large fleet answers, and how fast. The first answer of each sort is not counted.
func (b *bench) vast(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 90*time.Minute)
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
	if err := os.Mkdir(state, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(state, "peers.json"), peers, 0o600); err != nil {
		return err
	}
	display, err := pair.StartDisplay() // it makes the file
	if err != nil {
		return err
	}
	defer func() { display.Kill() }()
	if err := served(ctx, pair.Page); err != nil {
		return fmt.Errorf("%w\n%s", err, display.Stderr)
	}
	if err := display.Stop(ctx); err != nil {
		return err
	}
	path := filepath.Join(state, "history.db")
	begun := time.Now()
	if err := fill(ctx, path, vastEvents, vastAgents); err != nil {
		return fmt.Errorf("cannot make a vast history: %w", err)
	}
	fmt.Fprintf(os.Stderr, "%s events were made in %.0f s\n", thousands(vastEvents), time.Since(begun).Seconds())
	begun = time.Now()
	if display, err = pair.StartDisplay(); err != nil {
		return err
	}
	if err := served(ctx, pair.Page); err != nil {
		return fmt.Errorf("%w\n%s", err, display.Stderr)
	}
	what := fmt.Sprintf("%s agents, %s events of 90 days: ", thousands(vastAgents), thousands(vastEvents))
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	row(what+"roll-ups made by an upgrade; the file", "", "%.0f s; %.1f GiB", time.Since(begun).Seconds(), float64(info.Size())/(1<<30))
	for _, page := range []string{"/", "/history", "/history?range=90d", "/sources", "/sources?range=90d", "/source/14.2.20.24", "/user?name=root", "/agents", "/counters", "/search?q=14.2.20.24"} {
		took, err := tries(func() error {
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
		row(what+"the page `"+page+"`", "below 100 ms", "%.0f ms", took.Seconds()*1000)
	}
	for _, command := range []string{"status", "fleet status", "today", "top sources", "top sources --since 7d", "top networks", "top users", "events", "peers"} {
		took, err := tries(func() error { _, err := pair.Display(ctx, strings.Fields(command)...); return err })
		if err != nil {
			return err
		}
		row(what+"`"+command+"`, with its start", "below 100 ms", "%.0f ms", took.Seconds()*1000)
	}
	return nil
}

// tries returns how long something takes at best, after it was done once.
func tries(do func() error) (time.Duration, error) {
	var took []time.Duration
	for range vastTries + 1 {
		begun := time.Now()
		if err := do(); err != nil {
			return 0, err
		}
		took = append(took, time.Since(begun))
	}
	return best(took[1:]), nil
}
