package socket

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
)

// A port that another program has is asked for until it is free, and said to be missed meanwhile.
func TestAPortThatIsTakenIsServedLater(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := other.Addr().String()
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		late := &Late{What: "the page", Key: "web.listen", Address: address, Logger: slog.New(slog.NewTextHandler(&log, nil))}
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan string, 1)
		ended := make(chan error)
		go func() {
			ended <- late.Run(ctx, func(_ context.Context, l net.Listener) error {
				served <- l.Addr().String()
				return l.Close()
			})
		}()
		synctest.Wait()
		fault := late.Fault()
		if _, port, _ := net.SplitHostPort(address); fault == nil || !strings.Contains(fault.Error(), "sudo ss -ltnp 'sport = :"+port+"'") || !strings.Contains(fault.Error(), "set web.listen to another address") {
			t.Errorf("while another program has it: %v", fault)
		}
		other.Close()
		if at := <-served; at != address {
			t.Errorf("served at %s, want %s", at, address)
		}
		if err := <-ended; err != nil || late.Fault() != nil || strings.Count(log.String(), "level=ERROR") != 1 || !strings.Contains(log.String(), "after all") {
			t.Errorf("%v, %v:\n%s", err, late.Fault(), log.String())
		}
		stop()
	})
}

// A program that ends while it waits ends well, and one without an address serves nothing.
func TestNobodyWaitsForAPortForever(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	serve := func(context.Context, net.Listener) error { t.Error("it was served"); return nil }
	synctest.Test(t, func(t *testing.T) {
		late := &Late{What: "metrics", Key: "metrics", Address: other.Addr().String(), Logger: slog.New(slog.DiscardHandler)}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- late.Run(ctx, serve) }()
		synctest.Wait()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	if err := (&Late{}).Run(t.Context(), serve); err != nil {
		t.Error(err)
	}
}
