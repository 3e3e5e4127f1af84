package main

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/pialert/pialert/display/internal/terminal"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/control"
)

// Two who watch see the totals and the events, with their details; one that goes away leaves the other.
func TestWatch(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*Config) {})
	drawing, stop := context.WithCancel(context.Background())
	drawn := make(chan struct{})
	go func() {
		defer close(drawn)
		s.screen.panel.Run(drawing)
	}()
	t.Cleanup(func() { stop(); <-drawn })
	watch := func() (await func(text string), leave func()) {
		ctx, cancel := context.WithCancel(t.Context())
		answer, err := control.Client{Path: s.cfg.Control}.Open(ctx, "/watch", nil)
		if err != nil {
			t.Fatal(err)
		}
		reader, writer := io.Pipe()
		done := make(chan error, 1)
		go func() { done <- watchOn(ctx, writer, terminal.Screen{}, answer) }()
		lines := bufio.NewScanner(reader)
		return func(text string) {
				t.Helper()
				for lines.Scan() {
					if strings.Contains(lines.Text(), text) {
						return
					}
				}
				t.Fatalf("%q was never printed: %v", text, lines.Err())
			}, func() {
				t.Helper()
				cancel()
				answer.Close()
				go io.Copy(io.Discard, reader)
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
	}
	first, leaveFirst := watch()
	second, leaveSecond := watch()
	event := login(7)
	event.Detail = attack.SSH{Reason: "bad banner"}
	s.commit(event)
	first(`ssh_login from 192.0.2.7 as "user1", "bad banner" on vps  total 1`)
	second("192.0.2.7")
	leaveFirst()
	s.commit(login(8))
	second("192.0.2.8")
	leaveSecond()
	for number := uint64(0); ; {
		p, n, err := s.screen.watched.Next(t.Context(), number)
		if err != nil {
			t.Fatal(err)
		}
		if number = n; p.Grand == 2 {
			break
		}
	}
}
