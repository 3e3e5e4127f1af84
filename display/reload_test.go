package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/lamp"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/config"
	"github.com/pialert/pialert/pkg/pairing"
)

// testDaemon returns a display that draws nothing and keeps its files in a folder of the test's.
func testDaemon(t *testing.T, change func(*Config)) *daemon {
	t.Helper()
	d, _ := startDaemon(t, change)
	return d
}

// startDaemon does the same, and returns what ends it.
func startDaemon(t *testing.T, change func(*Config)) (*daemon, func()) {
	t.Helper()
	cfg := defaults()
	cfg.Name, cfg.Driver = "desk", driverNone
	cfg.State = t.TempDir()
	cfg.Control = filepath.Join(cfg.State, "control.sock")
	cfg.Look.Zone = "UTC"
	cfg.History.Interval = 0
	change(&cfg)
	d, err := newDaemon(cfg, nil, "", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.history.Run(ctx)
	}()
	end := sync.OnceFunc(func() {
		stop()
		<-done
		d.history.Close()
	})
	t.Cleanup(end)
	return d, end
}

// A reload takes over how long an agent may be silent.
func TestReloadOfLost(t *testing.T) {
	t.Parallel()
	d := testDaemon(t, func(*Config) {})
	if err := d.keyring.Add(pairing.Peer{Name: "vps", Role: pairing.Agent, Key: pairing.Fingerprint{1}}); err != nil {
		t.Fatal(err)
	}
	later := d.started.Add(5 * time.Minute)
	if agents := d.agents(later); len(agents) != 1 || !agents[0].Lost {
		t.Fatalf("after five minutes of silence: %+v, want one lost agent", agents)
	}
	cfg := d.configuration()
	cfg.Lost = config.Duration(10 * time.Minute)
	if err := d.reload(cfg); err != nil {
		t.Fatal(err)
	}
	if agents := d.agents(later); agents[0].Lost {
		t.Error("the agent is lost before the new time is over")
	}
}

// A reload of the zone changes the day of the lamps and of the history alike.
func TestReloadOfZone(t *testing.T) {
	t.Parallel()
	d := testDaemon(t, func(cfg *Config) {
		cfg.Lamps = []lamp.Config{{Name: "ssh", Kinds: []string{"ssh"}, Color: "red", Count: "today"}}
	})
	committed := make(chan error, 1)
	event := attack.Event{Kind: attack.SSHLogin, Severity: attack.Medium, Observed: time.Now(), Count: 7}
	if err := d.history.Append(t.Context(), "vps", 1, 1, []attack.Event{event}, func(_ uint64, err error) { committed <- err }); err != nil {
		t.Fatal(err)
	}
	d.screen.feed.Show("vps", []attack.Event{event})
	if err := <-committed; err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for _, zone := range []string{"Pacific/Kiritimati", "Pacific/Niue", "UTC"} { // 14 hours ahead, 11 behind
		cfg := d.configuration()
		cfg.Look.Zone = zone
		if err := d.reload(cfg); err != nil {
			t.Fatal(err)
		}
		location, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		var totals [1]uint64
		d.screen.lamps.Totals(totals[:], now)
		if totals[0] != 7 {
			t.Errorf("%s: the lamp shows %d of today, want 7", zone, totals[0])
		}
		year, month, day := now.In(location).Date()
		for shift, want := range map[int]int{-1: 0, 0: 1, 1: 0} {
			got, err := d.history.TotalsOn(t.Context(), time.Date(year, month, day+shift, 12, 0, 0, 0, location))
			if err != nil || len(got) != want {
				t.Errorf("%s: %d days from today the history has %v, error %v", zone, shift, got, err)
			}
		}
	}
}
