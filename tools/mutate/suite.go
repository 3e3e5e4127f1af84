package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Tests run in two rounds: the quick ones, then the rest, which a change meets that the quick ones
// have not noticed. The quick ones are those that together take a twentieth of the time of all.
const (
	rounds     = 2
	quickShare = 20
)

// suite is the tests of a package, in rounds.
type suite struct {
	dir   string
	tests [rounds]string // what -test.run takes
	usual usage          // of all of them
}

// usage is what tests take.
type usage struct{ processor, clock time.Duration }

var passed = regexp.MustCompile(`(?m)^--- PASS: (\S+) \(([0-9.]+)s\)$`)

// learn runs a package's tests and notes what they take.
func (b *bench) learn(ctx context.Context, dir, binary string) (*suite, error) {
	begin := time.Now()
	command := exec.CommandContext(ctx, binary, "-test.short", "-test.v", "-test.timeout=1h")
	command.Dir = filepath.Join(b.root, dir)
	out, err := command.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("the tests of %s fail without any change: %w\n%s", dir, err, out)
	}
	state := command.ProcessState
	s := &suite{dir: dir, usual: usage{state.UserTime() + state.SystemTime(), time.Since(begin)}}

	type test struct {
		name string
		took time.Duration
	}
	var all []test
	var sum time.Duration
	for _, found := range passed.FindAllStringSubmatch(string(out), -1) {
		took, err := time.ParseDuration(found[2] + "s")
		if err != nil {
			return nil, fmt.Errorf("cannot read how long %s took: %w", found[1], err)
		}
		all = append(all, test{found[1], took})
		sum += took
	}
	slices.SortStableFunc(all, func(a, b test) int { return int(a.took - b.took) })
	var names [rounds][]string
	var so time.Duration
	for _, one := range all {
		so += one.took
		round := 0
		if so > sum/quickShare {
			round = 1
		}
		names[round] = append(names[round], one.name)
	}
	for round := range rounds {
		s.tests[round] = "^(" + strings.Join(names[round], "|") + ")$"
	}
	return s, nil
}

// run runs a round of the tests and returns what they print.
func (s *suite) run(ctx context.Context, root, binary string, round int) ([]byte, error) {
	binary, err := filepath.Abs(binary)
	if err != nil {
		return nil, err
	}
	clock := max(leastClock, clockFactor*s.usual.clock)
	processor := max(leastProcessor, processorFactor*s.usual.processor)
	if round == 0 {
		clock, processor = max(leastClock, clock/quickShare), max(leastProcessor, processor/quickShare)
	}
	command := exec.CommandContext(ctx, "sh", "-c", fmt.Sprintf(`ulimit -t %d && exec "$0" "$@"`, int(processor.Seconds())),
		binary, "-test.short", "-test.failfast", "-test.timeout="+clock.String(), "-test.run="+s.tests[round])
	command.Dir = filepath.Join(root, s.dir)
	return command.CombinedOutput()
}

// outOfProcessor says whether a process ended because it took more processor time than it may.
func outOfProcessor(err error) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && (status.Signal() == syscall.SIGXCPU || status.Signal() == syscall.SIGKILL)
}
