package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A scan reports the floods and scans that run would have seen, by the limits of the configuration.
func TestScanLooksForEpisodes(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "access.log")
	var text bytes.Buffer
	start := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for i := range 700 { // of one page, in 28 seconds
		fmt.Fprintf(&text, "192.0.2.7 - - [%s] \"GET / HTTP/1.1\" 200 5 \"-\" \"x\"\n", start.Add(time.Duration(i/25)*time.Second).Format("02/Jan/2006:15:04:05 -0700"))
	}
	for i := range 15 {
		fmt.Fprintf(&text, "192.0.2.8 - - [%s] \"GET /nothing-%d HTTP/1.1\" 404 5 \"-\" \"x\"\n", start.Add(time.Hour).Format("02/Jan/2006:15:04:05 -0700"), i)
	}
	if err := os.WriteFile(log, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for config, want := range map[string]string{
		"": "http_flood start 600, http_flood end 100",
		"flood: {max_requests: 650}\nscan: {paths: 15, window: 30s}": "http_flood start 650, http_flood end 50, http_scan start 15, http_scan end 0",
		"flood: {max_requests: 701}":                                 "",
	} {
		file := filepath.Join(dir, "agent.yaml")
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		command := rootCommand()
		command.SetOut(&out)
		command.SetArgs([]string{"scan", "--format", "json", "--config", file, log})
		if err := command.Execute(); err != nil {
			t.Fatal(err)
		}
		var got []string
		for line := range strings.Lines(out.String()) {
			var ev struct {
				Kind   string
				Count  uint64
				Detail struct{ Phase string }
			}
			if err := json.Unmarshal([]byte(line), &ev); err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(ev.Kind, " ", ev.Detail.Phase, " ", ev.Count))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("with %q: %q, want %q", config, got, want)
		}
	}
}

func TestEpisodesOutOfBoundsAreRefused(t *testing.T) {
	for field, set := range map[string]func(*Config){
		"flood.max_requests":    func(c *Config) { c.Flood.MaxRequests = 0 },
		"flood.window":          func(c *Config) { c.Flood.Window = 0 },
		"scan.paths":            func(c *Config) { c.Scan.Paths = 33 },
		"scan.window":           func(c *Config) { c.Scan.Window *= 1000 },
		"spray.users":           func(c *Config) { c.Spray.Users = 1 },
		"spray.window":          func(c *Config) { c.Spray.Window = 0 },
		"distributed.addresses": func(c *Config) { c.Distributed.Addresses = 0 },
		"distributed.window":    func(c *Config) { c.Distributed.Window = -1 },
	} {
		cfg := defaults()
		if err := cfg.Validate(); err != nil {
			t.Fatal(err)
		}
		if set(&cfg); cfg.Validate() == nil || !strings.Contains(cfg.Validate().Error(), field) {
			t.Errorf("%s: %v", field, cfg.Validate())
		}
	}
}
