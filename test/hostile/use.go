package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pialert/pialert/packaging/demo/program"
	"github.com/pialert/pialert/test/cgroup"
)

// reportUse says how much a program used and wrote, and fails if it is dead.
func reportUse(g *cgroup.Group, name string, p *program.Process) error {
	used, err := g.Peak()
	if err != nil {
		return err
	}
	kills, err := g.Kills()
	if err != nil {
		return err
	}
	busy, err := processorTime(p)
	if err != nil {
		return err
	}
	descriptors, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", p.Pid()))
	said := p.Stderr.String()
	fmt.Printf("%s: %d MiB at most, %v of a processor, %d descriptors at the end, %d lines in its log\n", name, used>>20, busy, len(descriptors), strings.Count(said, "\n"))
	if kills > 0 {
		return fmt.Errorf("the %s was killed for its memory %d times", name, kills)
	}
	if p.Ended() {
		return fmt.Errorf("the %s has ended:\n%s", name, said)
	}
	return nil
}

// processorTime returns for how long a process ran on any processor (proc_pid_stat(5): utime, stime, in ticks of
// 10 ms).
func processorTime(p *program.Process) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Pid()))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("cannot read how long process %d ran: %q", p.Pid(), text)
	}
	user, err := strconv.Atoi(fields[11])
	system, problem := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(err, problem)
}
