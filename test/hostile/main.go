// Command hostile lets peers that mean harm at both programs, each in a memory cgroup, and says what
// held: strangers at the agent's port, five paired agents that lie to the display
// and five that flood it with the largest events that are allowed, a paired display that
// lies to the agent. Meanwhile an ordinary log is followed and a second display comes and goes.
//
//	go -C test run ./hostile -programs ../build -span 10m      as root, for the cgroups
//
// It exits with 0 if the ordinary attacks were counted exactly, both programs live, and neither was
// killed for its memory.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pialert/pialert/packaging/demo/program"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/pairing"
	"github.com/pialert/pialert/test/cgroup"
)

func main() {
	programs := flag.String("programs", "../build", "`folder` of the two programs")
	span := flag.Duration("span", 10*time.Minute, "how long")
	limit := flag.Int64("memory", 128<<20, "`bytes` that each program may use")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, program.In(*programs), *span, *limit); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// lyingAgents is how many lie at a time, and how many flood.
const lyingAgents = 5

// every is how often a line is written to the followed log.
const every = 100 * time.Millisecond

func run(ctx context.Context, programs program.Binaries, span time.Duration, limit int64) (err error) {
	dir, err := os.MkdirTemp("", "hostile")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	agentGroup, err := cgroup.New("pialert-hostile-agent", limit)
	if err != nil {
		return err
	}
	defer agentGroup.Remove()
	displayGroup, err := cgroup.New("pialert-hostile-display", limit)
	if err != nil {
		return err
	}
	defer displayGroup.Remove()
	log := filepath.Join(dir, "auth.log")
	if err := os.WriteFile(log, nil, 0o644); err != nil {
		return err
	}
	pair, err := program.LayOut(dir, programs, program.Settings{Logs: []string{"{path: " + log + "}"}})
	if err != nil {
		return err
	}
	pair.Command = func(path string, args ...string) *exec.Cmd {
		switch {
		case args[0] != "run":
		case path == programs.Agent:
			return agentGroup.Command(path, args...)
		default:
			return displayGroup.Command(path, args...)
		}
		return exec.Command(path, args...)
	}
	agent, err := pair.StartAgent()
	if err != nil {
		return err
	}
	defer agent.Kill()
	display, err := pair.StartDisplay()
	if err != nil {
		return err
	}
	defer display.Kill()
	if err := pair.Join(ctx); err != nil {
		return fmt.Errorf("%w\n%s\n%s", err, agent.Stderr, display.Stderr)
	}

	quiet := slog.New(slog.DiscardHandler)
	var liars, floods []*lyingAgent
	for i := range lyingAgents {
		liar := &lyingAgent{name: fmt.Sprint("liar", i+1), log: quiet}
		flood := &lyingAgent{name: fmt.Sprint("flood", i+1), log: quiet, legal: true, epoch: rand.Uint64()}
		if err := errors.Join(liar.join(ctx, dir, pair), flood.join(ctx, dir, pair)); err != nil {
			return fmt.Errorf("cannot pair a hostile agent: %w", err)
		}
		liars, floods = append(liars, liar), append(floods, flood)
	}
	deaf, err := joinAgent(ctx, filepath.Join(dir, "deaf"), "deaf", pair, programs, quiet)
	if err != nil {
		return fmt.Errorf("cannot pair the lying display: %w", err)
	}
	guest, err := joinAgent(ctx, filepath.Join(dir, "guest"), "guest", pair, programs, quiet)
	if err != nil {
		return fmt.Errorf("cannot pair the second display: %w", err)
	}

	siege, end := context.WithTimeout(ctx, span)
	defer end()
	var all sync.WaitGroup
	strangers := &strangers{address: pair.Listen, key: deaf.Key()}
	all.Go(func() { strangers.run(siege) })
	lies := &lyingDisplay{keyring: deaf, log: quiet}
	all.Go(func() { lies.run(siege) })
	visits := &visits{keyring: guest, log: quiet}
	all.Go(func() { visits.run(siege) })
	written, err := write(siege, log)
	all.Wait()
	if err != nil {
		return err
	}
	return errors.Join(
		report(ctx, pair, written, strangers, liars, floods, lies, visits),
		reportUse(agentGroup, "agent", agent), reportUse(displayGroup, "display", display),
	)
}

// write appends a failed login to the log now and then, and returns how many.
func write(ctx context.Context, path string) (written uint64, err error) {
	log, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return written, nil
		case now := <-tick.C:
			port := 1024 + written%60_000
			_, err := fmt.Fprintf(log, "%s vps sshd[%d]: Failed password for root from 203.0.113.7 port %d ssh2\n", now.Format(time.Stamp), 1000+written, port)
			if err != nil {
				return written, err
			}
			written++
		}
	}
}

// report compares what the display counts of the ordinary agent with what was written.
func report(ctx context.Context, pair *program.Pair, written uint64, s *strangers, liars, floods []*lyingAgent, d *lyingDisplay, v *visits) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var counted uint64
	err := program.Poll(ctx, func() error {
		status, err := pair.DisplayStatus(ctx)
		if err != nil {
			return err
		}
		counted = status.Kinds[attack.SSHLogin]
		if counted != written {
			return fmt.Errorf("%d of %d attacks are counted", counted, written)
		}
		return nil
	})
	fmt.Printf("ordinary: %d attacks written, %d counted\n", written, counted)
	fmt.Printf("strangers: %d connections, %d hellos of ours among them, %d wrong secrets\n", s.connections.Load(), s.hellos.Load(), s.secrets.Load())
	for who, agents := range map[string][]*lyingAgent{"lying": liars, "legal but flooding": floods} {
		var streams, events, gaps, epochs uint64
		for _, l := range agents {
			streams, events, gaps, epochs = streams+l.streams.Load(), events+l.events.Load(), gaps+l.gaps.Load(), epochs+l.epochs.Load()
		}
		fmt.Printf("%d %s agents: %d streams, %d events, %d gaps, %d epochs\n", len(agents), who, streams, events, gaps, epochs)
	}
	fmt.Printf("lying display: %d streams, %d lies\n", d.streams.Load(), d.lies.Load())
	fmt.Printf("second display: got in %d times of %d tries, the slowest took %v\n", v.in, v.tries, v.slowest.Round(time.Millisecond))
	return err
}

// joinAgent pairs a display of ours with the agent.
func joinAgent(ctx context.Context, state, name string, pair *program.Pair, programs program.Binaries, log *slog.Logger) (*pairing.Keyring, error) {
	keyring, err := pairing.Open(state, pairing.Display, name)
	if err != nil {
		return nil, err
	}
	asks, err := program.Start(exec.Command(programs.Agent, "pair", "--config", pair.AgentConfig))
	if err != nil {
		return nil, err
	}
	defer asks.Kill()
	if err := asks.Stdout.Await(ctx, func(text string) bool { return strings.HasSuffix(text, "\n") || asks.Ended() }); err != nil {
		return nil, err
	}
	words := strings.Fields(asks.Stdout.String())
	token, err := pairing.ParseToken(words[len(words)-1])
	if err != nil {
		return nil, err
	}
	return keyring, redeem(ctx, keyring, token, log)
}
