package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/responder"
	"github.com/pialert/pialert/agent/internal/responder/routeros/routerostest"
	process "github.com/pialert/pialert/packaging/demo/program"
)

// The responder bans on a router, as configured, though another router does not answer; and takes
// everything back.
func TestTheResponderAndItsRouters(t *testing.T) {
	there, err := routerostest.Start(time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(there.Close)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "password"), []byte("correct horse"), 0o600); err != nil {
		t.Fatal(err)
	}
	certificate := there.Certificate()
	cfg := defaults()
	cfg.Name, cfg.Responses.NFTables = "web1", nil
	cfg.Responses.Socket, cfg.Responses.State = filepath.Join(dir, "socket"), filepath.Join(dir, "state")
	cfg.Responses.HostsDeny = &HostsDeny{File: filepath.Join(dir, "hosts.deny")}
	for _, address := range []string{"127.0.0.1:1", there.Address()} {
		cfg.Responses.RouterOS = append(cfg.Responses.RouterOS, RouterOS{
			Address: address, User: "pialert", PasswordFile: filepath.Join(dir, "password"), Certificate: "sha256:" + hex.EncodeToString(certificate[:]),
		})
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- runResponder(ctx, cfg, "nobody", io.Discard) }()
	client := responder.Client{Socket: cfg.Responses.Socket}
	poll := func(is func() error) {
		t.Helper()
		if err := process.Poll(ctx, is); err != nil {
			t.Fatal(err)
		}
	}
	poll(func() error {
		_, _, err := client.Ban(ctx, responder.Request{Target: netip.MustParsePrefix("9.9.9.9/32"), For: time.Hour, Reason: "a test"})
		return err
	})
	want := []string{"hosts_deny", "routeros " + there.Address()}
	poll(func() error {
		var got []string
		err := client.Bans(ctx, func(ban responder.Listed) error {
			got = ban.InForce
			return nil
		})
		if err == nil && !slices.Equal(got, want) {
			err = fmt.Errorf("in force in %q, want %q", got, want)
		}
		return err
	})
	if entries := there.Entries(); len(entries) != 1 || entries[0].Address != "9.9.9.9" || entries[0].Comment != "pialert:web1" || entries[0].List != "pialert" {
		t.Errorf("the router has %v", entries)
	}
	status, err := client.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, backend := range status.Backends {
		if failing := backend.Name == "routeros 127.0.0.1:1"; failing != (backend.Error != "") {
			t.Errorf("%+v", backend)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(cfg.Responses.HostsDeny.File); err != nil || len(text) > 0 {
		t.Errorf("hosts.deny has %q, %v, though nobody is there to end it", text, err)
	}
	for name, backend := range cfg.removers() {
		if name == "routeros "+there.Address() {
			if err := backend.Remove(); err != nil {
				t.Error(err)
			}
		}
	}
	if entries := there.Entries(); len(entries) != 0 {
		t.Errorf("taken back, the router has %v", entries)
	}
}

func TestRoutersThatMakeNoSense(t *testing.T) {
	for field, spoil := range map[string]func(*RouterOS){
		"address": func(o *RouterOS) { o.Address = "192.0.2.1" }, "user": func(o *RouterOS) { o.User = "" },
		"password_file": func(o *RouterOS) { o.PasswordFile = "secret" }, "certificate": func(o *RouterOS) { o.Certificate = "sha256:12" },
	} {
		cfg := defaults()
		good := RouterOS{Address: "192.0.2.1:8729", User: "pialert", PasswordFile: "/etc/pialert/router", Certificate: "sha256:" + hex.EncodeToString(make([]byte, 32))}
		bad := good
		spoil(&bad)
		cfg.Name, cfg.Responses.RouterOS = "web1", []RouterOS{good}
		if err := cfg.Validate(); err != nil {
			t.Error(err)
		}
		cfg.Responses.RouterOS = []RouterOS{bad}
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "responses.routeros[0]."+field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}
