package syslog

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/pialert/pialert/agent/internal/source"
)

// A port goes on across a reload where its configuration is the same in every part; another one ends with
// its run, and one that cannot be made is named.
func TestPortsAcrossReloads(t *testing.T) {
	t.Parallel()
	type config struct{ from []string }
	var ports Ports[config]
	made := 0
	open := func(c config) (*Port, error) {
		if made++; len(c.from) == 0 {
			return nil, errors.New("from is missing")
		}
		return New(Options{Name: c.from[0], Logger: slog.New(slog.DiscardHandler)}), nil
	}
	first := []config{{[]string{"192.0.2.0/24"}}, {[]string{"198.51.100.0/24"}}}
	before, err := ports.For(first, open)
	if err != nil {
		t.Fatal(err)
	}
	ports.Use(first, before)

	next := []config{{[]string{"203.0.113.0/24"}}, {[]string{"192.0.2.0/24"}}}
	tried, err := ports.For(next, open)
	if err != nil || tried[1] != before[0] || tried[0] == before[1] || made != 3 {
		t.Errorf("%d ports were made, error %v", made, err)
	}
	again, cancel := context.WithCancelCause(t.Context())
	cancel(source.ErrAgain)
	for _, p := range before {
		if p.ends(again) {
			t.Error("a configuration that is only tried ends a port")
		}
	}
	ports.Retire(next)
	if before[0].ends(again) || !before[1].ends(again) {
		t.Error("what the next configuration has ends, or what it does not have goes on")
	}
	after, err := ports.For(next, open)
	if err != nil || after[1] != before[0] {
		t.Errorf("the port that goes on was made anew, error %v", err)
	}
	ports.Use(next, after)
	if _, err := ports.For([]config{next[1], {}}, open); err == nil || !strings.HasPrefix(err.Error(), "syslog[1]: from") {
		t.Errorf("a port that cannot be made gives %v", err)
	}
}
