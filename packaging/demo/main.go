// Command demo shows PiAlert at work: it starts two agents and a display with throwaway keys, pairs
// them, and plays logs into files that the agents follow. The logs beside it were recorded from a
// real sshd and a real Apache under attack, by test/record; some of the logins are played on the
// second server. The machine's own log of logins is followed too where it can be read.
//
//	go run ./packaging/demo -programs build -logs packaging/demo
//
// In a terminal the display animates until the recording ends or Ctrl-C, and its last picture
// stays; elsewhere it prints a line per event. The display's page is served meanwhile; its address is
// printed first. At last the demo prints "demo: N attacks shown".
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/pialert/pialert/packaging/demo/program"
	"github.com/pialert/pialert/pkg/plural"
)

// ownLog is where systems with a syslog daemon keep what sshd says.
const ownLog = "/var/log/auth.log"

// recordings are the logs that are played.
var recordings = []string{"auth.log", "access.log", "error.log"}

// Bounds of what the demonstration waits for.
const (
	toStart  = 20 * time.Second
	toSettle = 5 * time.Second
	toLinger = 2 * time.Second // before the picture ends
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

	share(lines)
	pairs, err := layOut(dir, programs)
	if err != nil {
		return err
	}
	defer takeBack()
	fmt.Printf("demo: page at %s/\n", pairs[0].Page)
	shown, err := show(ctx, dir, pairs, lines)
	if errors.Is(err, errStopped) {
		fmt.Println("demo: stopped")
		return nil
	}
	if err != nil {
		return err
	}
	fmt.Println("demo:", plural.Count(shown, "attack"), "shown")
	return nil
}

// Names of the two servers, the first of which has a lamp of its own.
const (
	firstName  = "web1"
	secondName = "web2"
)

// layOut writes the configurations of both agents and the display into dir.
func layOut(dir string, programs program.Binaries) ([]*program.Pair, error) {
	follow := func(name string) string {
		return fmt.Sprintf("{path: %q, start: beginning}", filepath.Join(dir, name))
	}
	var logs []string
	for _, name := range recordings {
		logs = append(logs, follow(name))
	}
	if own, err := os.Open(ownLog); err == nil {
		own.Close()
		logs = append(logs, fmt.Sprintf("{path: %q, start: end}", ownLog))
	}
	first, err := program.LayOut(dir, programs, program.Settings{
		Name: firstName, Logs: logs, Driver: "terminal", Page: true, Agent: quiet, Display: quiet + bright,
	})
	if err != nil {
		return nil, err
	}
	first.Command = func(path string, args ...string) *exec.Cmd {
		cmd := exec.Command(path, args...)
		// Ctrl-C is for this program, which then stops the others. In a terminal it is for the
		// display, which draws there: it closes its picture, and this program sees it end.
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if path == programs.Display && args[0] == "run" {
			cmd.Stdin, cmd.Stdout = os.Stdin, os.Stdout
			if term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd())) {
				cmd.SysProcAttr.Foreground, cmd.SysProcAttr.Ctty = true, int(os.Stdin.Fd())
			}
		}
		return cmd
	}
	second, err := first.Second(secondName, []string{follow(secondLog)})
	return []*program.Pair{first, second}, err
}

// What the demonstration has otherwise than a device on a desk: a picture without a log below it,
// and lights as bright as a screen is.
const (
	quiet  = "log: {level: error}\n"
	bright = "look: {brightness: {lights: 20, digits: 8}}\n"
)

// takeBack makes this program's group the terminal's again, after the display's had been.
func takeBack() {
	fd := int(os.Stdin.Fd())
	if term.IsTerminal(fd) {
		signal.Ignore(syscall.SIGTTOU) // or the kernel stops whoever asks for that from behind
		unix.IoctlSetPointerInt(fd, unix.TIOCSPGRP, unix.Getpgrp())
	}
}

// errStopped says that Ctrl-C ended the picture, which has the totals.
var errStopped = errors.New("stopped in its terminal")

// show runs everything until the recording is over, the context ends or the display was stopped,
// and returns how many attacks were shown.
func show(ctx context.Context, dir string, pairs []*program.Pair, lines []line) (shown uint64, err error) {
	var agents []*program.Process
	defer func() {
		for _, agent := range agents {
			agent.Kill()
		}
	}()
	for _, pair := range pairs {
		agent, err := pair.StartAgent()
		if err != nil {
			return 0, err
		}
		agents = append(agents, agent)
	}
	display, err := pairs[0].StartDisplay()
	if err != nil {
		return 0, err
	}
	defer display.Kill()
	playing, stop := context.WithCancel(ctx)
	defer stop()
	go func() { // Ctrl-C in the picture ends the display
		display.Wait(playing)
		stop()
	}()
	starting, cancel := context.WithTimeout(playing, toStart)
	defer cancel()
	for i, pair := range pairs {
		if err := pair.Join(starting); err != nil {
			if playing.Err() != nil && display.Ended() {
				return 0, errStopped
			}
			return 0, fmt.Errorf("cannot pair: %w\n%s%s", err, agents[i].Stderr, display.Stderr)
		}
	}
	if err := play(playing, dir, lines); err != nil {
		return 0, err
	}
	if display.Ended() {
		return 0, errStopped
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), toSettle)
	defer cancel()
	if shown, err = settle(ending, pairs); err != nil {
		return 0, err
	}
	wait(playing, toLinger)
	for _, process := range append([]*program.Process{display}, agents...) {
		if err := process.Stop(ending); err != nil && !process.Ended() {
			return shown, err
		}
	}
	return shown, nil
}

// wait waits, or less if ctx ends.
func wait(ctx context.Context, long time.Duration) {
	select {
	case <-time.After(long):
	case <-ctx.Done():
	}
}

// settle returns the display's total once all that the agents found has arrived.
func settle(ctx context.Context, pairs []*program.Pair) (uint64, error) {
	var before program.DisplayStatus
	err := program.Poll(ctx, func() error {
		waiting := uint64(0)
		for _, pair := range pairs {
			agent, err := pair.AgentStatus(ctx)
			if err != nil {
				return err
			}
			waiting += agent.Spool.Waiting
		}
		status, err := pairs[0].DisplayStatus(ctx)
		if err != nil {
			return err
		}
		if waiting > 0 || status.Total != before.Total {
			before = status
			return fmt.Errorf("%s on the way", plural.Count(waiting, "event"))
		}
		return nil
	})
	return before.Total, err
}
