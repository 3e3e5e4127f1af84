// Command demo shows PiAlert at work: it starts both programs with throwaway keys, pairs them,
// and plays logs into files that the agent follows. The logs beside it were recorded from a real
// sshd and a real Apache under attack; test/record made them. The machine's own log of logins
// is followed too where it can be read.
//
//	go run ./packaging/demo -programs build -logs packaging/demo
//
// In a terminal the display animates until the recording ends or Ctrl-C; elsewhere it prints a
// line per event. At last it prints "demo: N attacks shown".
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/pialert/pialert/packaging/demo/program"
)

// ownLog is where systems with a syslog daemon keep what sshd says.
const ownLog = "/var/log/auth.log"

// recordings are the logs that are played.
var recordings = []string{"auth.log", "access.log", "error.log"}

// Bounds of what the demonstration waits for.
const (
	toStart  = 20 * time.Second
	toSettle = 5 * time.Second
)

func main() {
	programs := flag.String("programs", "build", "`folder` of the two programs")
	logs := flag.String("logs", "packaging/demo", "`folder` of the recorded logs")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, program.In(*programs), *logs); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, programs program.Binaries, logs string) error {
	lines, err := load(logs, recordings)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "demo")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	var follow []string
	for _, name := range recordings {
		follow = append(follow, fmt.Sprintf("{path: %q, start: beginning}", filepath.Join(dir, name)))
	}
	if own, err := os.Open(ownLog); err == nil {
		own.Close()
		follow = append(follow, fmt.Sprintf("{path: %q, start: end}", ownLog))
	}
	pair, err := program.LayOut(dir, programs, program.Settings{Logs: follow, Driver: "terminal"})
	if err != nil {
		return err
	}
	pair.Command = func(path string, args ...string) *exec.Cmd {
		cmd := exec.Command(path, args...)
		if path == programs.Display && args[0] == "run" {
			cmd.Stdout = os.Stdout
		}
		// Ctrl-C is for this program, which then stops the others.
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		return cmd
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
	starting, cancel := context.WithTimeout(ctx, toStart)
	defer cancel()
	if err := pair.Join(starting); err != nil {
		return fmt.Errorf("cannot pair: %w\n%s%s", err, agent.Stderr, display.Stderr)
	}
	if err := play(ctx, dir, lines); err != nil {
		return err
	}

	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), toSettle)
	defer cancel()
	shown, err := settle(ending, pair)
	if err != nil {
		return err
	}
	if err := display.Stop(ending); err != nil {
		return err
	}
	if err := agent.Stop(ending); err != nil {
		return err
	}
	fmt.Printf("demo: %d attacks shown\n", shown)
	return nil
}

// settle returns the display's total once all that the agent found has arrived.
func settle(ctx context.Context, pair *program.Pair) (uint64, error) {
	var before program.DisplayStatus
	err := program.Poll(ctx, func() error {
		agent, err := pair.AgentStatus(ctx)
		if err != nil {
			return err
		}
		status, err := pair.DisplayStatus(ctx)
		if err != nil {
			return err
		}
		if agent.Spool.Waiting > 0 || status.Total != before.Total {
			before = status
			return fmt.Errorf("%d events are on their way", agent.Spool.Waiting)
		}
		return nil
	})
	return before.Total, err
}
