package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/lamp"
	"github.com/pialert/pialert/pkg/config"
	"github.com/pialert/pialert/pkg/pairing"
)

// What lamps --write appends is a configuration that loads, and it never writes over an owner's lamps.
func TestLampsAreWrittenOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "display.yaml")
	if err := os.WriteFile(path, []byte("# mine\ndriver: none"), 0o644); err != nil {
		t.Fatal(err)
	}
	text := block(lamp.Suggest([]string{"web1", "shop.example"}, "today"))
	if err := appendLamps(path, text); err != nil {
		t.Fatal(err)
	}
	cfg := defaults()
	if err := config.Load(path, &cfg); err != nil {
		t.Fatal(err)
	}
	if cfg.Driver != driverNone || len(cfg.Lamps) != 4 || cfg.Lamps[1].Label != "SSH on shop.example" || cfg.Lamps[1].Count != "today" {
		t.Errorf("it holds %+v", cfg.Lamps)
	}
	if err := appendLamps(path, text); err == nil || !strings.Contains(err.Error(), "has lamps already") {
		t.Errorf("a second time: %v", err)
	}
}

// A file that cannot take lamps at its end stays as it is.
func TestLampsAreNotWrittenIntoWhatTheyWouldBreak(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "display.yaml")
	for _, text := range []string{"{driver: none}\n", "driver: none\n...\nlost: 3m\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := appendLamps(path, block(lamp.Suggest([]string{"web1"}, "all")))
		if got, _ := os.ReadFile(path); err == nil || string(got) != text {
			t.Errorf("%q: %v, and it holds %q", text, err, got)
		}
	}
}

func TestASecondServerIsToldItsLamp(t *testing.T) {
	t.Parallel()
	cfg := defaults()
	first := pairing.Peer{Name: "web1", Paired: time.Unix(1, 0)}
	second := pairing.Peer{Name: "shop", Paired: time.Unix(2, 0)}
	if text := welcome(cfg)([]pairing.Peer{first}, "web1"); text != "" {
		t.Errorf("the first server is told %q", text)
	}
	want := "SSH on shop lights the lamp ssh-b (purple). For a lamp of its own: sudo pialert-display lamps --write\n"
	if text := welcome(cfg)([]pairing.Peer{second, first}, "shop"); text != want {
		t.Errorf("the second server is told %q", text)
	}
	cfg.Lamps = lamp.Suggest([]string{"web1", "shop"}, "all")
	if text := welcome(cfg)([]pairing.Peer{second, first}, "shop"); text != "" {
		t.Errorf("a server that has a lamp of its own is told %q", text)
	}
}
