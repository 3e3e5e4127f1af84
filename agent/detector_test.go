package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pialert/pialert/agent/internal/detect"
	"github.com/pialert/pialert/agent/internal/ingest"
	"github.com/pialert/pialert/agent/internal/spool"
	"github.com/pialert/pialert/pkg/attack"
)

// newTestPipeline returns a pipeline with the real detection into a spool.
func newTestPipeline(t *testing.T) (*ingest.Pipeline, *spool.Spool) {
	t.Helper()
	s, err := spool.Open(spool.Options{Dir: filepath.Join(t.TempDir(), "spool")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return pipelineInto(t, s, nil), s
}

// pipelineInto returns a pipeline that goes on from what a spool has.
func pipelineInto(t *testing.T, s *spool.Spool, behind func(log string) bool) *ingest.Pipeline {
	t.Helper()
	rules, err := detect.Load()
	if err != nil {
		t.Fatal(err)
	}
	p, err := ingest.New(ingest.Options{
		Detector: func(emit func(*attack.Event)) (ingest.Detector, error) {
			engine, err := detect.New(detect.Options{
				Rules: rules, Remember: true, Behind: behind, Emit: func(e *attack.Event, _ uint64) { emit(e) },
			})
			return newDetector(detect.Apart(engine, nil), nil, slog.New(slog.DiscardHandler)), err
		},
		Store: s, State: s.State(), Watched: func() bool { return true }, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Requests as long as they are recorded, from ever new addresses, so that none are alike, come
// faster than the disk writes: more than one commit may carry, if nothing held them back.
func TestLongRequestsFromEverywhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, s := newTestPipeline(t)
		long := strings.Repeat("a", attack.MaxText)
		address := netip.MustParseAddr("2001:db8::")
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		const requests = 16 << 10
		fed := make(chan error)
		go func() {
			var lines bytes.Buffer
			for n := range requests {
				address = address.Next()
				fmt.Fprintf(&lines, "%s - - [20/Nov/2026:12:00:00 +0000] \"GET /.env?%s HTTP/1.1\" 404 196 \"-\" \"%s\"\n", address, long, long)
				if n%100 < 99 && n < requests-1 {
					continue
				}
				chunk := ingest.Chunk{Source: "log", Data: lines.Bytes(), Position: fmt.Append(nil, n), Observed: time.Now()}
				if err := p.Feed(ctx, chunk); err != nil {
					fed <- err
					return
				}
				lines.Reset()
			}
			fed <- nil
		}()
		synctest.Wait() // it waits for room, or has fed all
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		if err := <-fed; err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // what is left has been committed, or failed
		if got := s.Stats().Next - 1; got != requests {
			t.Errorf("%d events were kept of %d requests", got, requests)
		}
		stop()
		<-done
	})
}

// A log that is gone for good leaves nothing in the spool: neither its position nor what detection
// remembers of it.
func TestForgottenLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, s := newTestPipeline(t)
		line := "2026-11-20T12:00:00.000000+00:00 server sshd[1000]: Failed password for root from 192.0.2.1 port 40022 ssh2\n"
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		if err := p.Feed(ctx, ingest.Chunk{Source: "site", Data: []byte(line), Position: []byte("1"), Observed: time.Now()}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		kept := func() (n int) {
			for key := range s.State() {
				if strings.Contains(key, "site") {
					n++
				}
			}
			return n
		}
		if kept() < 2 {
			t.Errorf("%d keys were kept, want the position and the memory", kept())
		}
		if err := p.Feed(ctx, ingest.Chunk{Source: "site", Forget: true, Observed: time.Now()}); err != nil {
			t.Fatal(err)
		}
		stop()
		<-done
		if n := kept(); n > 0 {
			t.Errorf("%d keys were kept", n)
		}
	})
}

// A restart comes between two lines about one attempt, and the log is read on only minutes later, for it
// has a backlog. Time that passes meanwhile ends nothing: the attempt counts once.
func TestTimeEndsNothingBeforeTheBacklogIsRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var behind atomic.Bool
		behind.Store(true)
		p, s := newTestPipeline(t)
		run := func(p *ingest.Pipeline, during func()) {
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- p.Run(ctx) }()
			during()
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		feed := func(p *ingest.Pipeline, line string) {
			chunk := ingest.Chunk{Source: "log", Data: []byte(line + "\n"), Position: []byte(line), Observed: time.Now()}
			if err := p.Feed(t.Context(), chunk); err != nil {
				t.Error(err)
			}
		}
		run(p, func() {
			feed(p, "2026-11-20T12:00:00.000000+00:00 server sshd[1000]: pam_unix(sshd:auth): authentication failure; "+
				"logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.1  user=root")
		})
		p = pipelineInto(t, s, func(string) bool { return behind.Load() })
		run(p, func() {
			time.Sleep(time.Hour) // by the bubble's clock
			feed(p, "2026-11-20T12:00:02.000000+00:00 server sshd[1000]: Failed password for root from 192.0.2.1 port 40022 ssh2")
			behind.Store(false)
			time.Sleep(time.Hour)
		})
		if n := s.Stats().Next - 1; n != 1 {
			t.Errorf("%d attempts were counted of one", n)
		}
	})
}

// What a configuration says of a log decides whose machine its lines are of, and which engine reads them.
func TestLogsAreReadAsConfigured(t *testing.T) {
	t.Parallel()
	rules, err := detect.Load()
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	engine := func(name string) *detect.Engine {
		e, err := detect.New(detect.Options{Rules: rules, Emit: func(e *attack.Event, _ uint64) { found = append(found, name+" "+e.Host) }})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	d := newDetector(detect.Apart(engine("own"), engine("forgeable")), map[string]LogSource{
		"udp://:514": {Hosts: hostSender, forgeable: true}, "collected": {Hosts: hostHeader}, "auth": {},
	}, slog.New(slog.DiscardHandler))
	for _, log := range []string{"udp://:514", "collected", "auth", "not configured"} {
		d.Feed(ingest.Chunk{
			Name: log, Source: log, Observed: time.Now(),
			Data: []byte("Nov 20 12:00:00 192.0.2.1/web sshd[7]: Failed password for root from 203.0.113.7 port 4022 ssh2\n"),
		})
	}
	if want := []string{"forgeable web", "own 192.0.2.1/web", "own ", "own "}; !slices.Equal(found, want) {
		t.Errorf("found %q, want %q", found, want)
	}
}
