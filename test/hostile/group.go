package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pialert/pialert/packaging/demo/program"
)

// group is a memory cgroup, of version 2 or 1 (cgroups(7)).
type group struct {
	dir         string
	limit, peak string // files of the group
	kills       string // where it is written how often somebody was killed
}

func newGroup(name string, limit int64) (*group, error) {
	g := &group{dir: filepath.Join("/sys/fs/cgroup", name), limit: "memory.max", peak: "memory.peak", kills: "memory.events"}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err != nil {
		g = &group{dir: filepath.Join("/sys/fs/cgroup/memory", name), limit: "memory.limit_in_bytes", peak: "memory.max_usage_in_bytes", kills: "memory.oom_control"}
	}
	if err := os.Mkdir(g.dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("cannot make a memory cgroup: %w", err)
	}
	if err := os.WriteFile(filepath.Join(g.dir, g.limit), []byte(strconv.FormatInt(limit, 10)), 0); err != nil {
		return nil, fmt.Errorf("cannot limit memory: %w", err)
	}
	return g, nil
}

func (g *group) remove() { os.Remove(g.dir) }

// command runs a program in the group.
func (g *group) command(path string, args ...string) *exec.Cmd {
	return exec.Command("sh", append([]string{"-c", `echo $$ > "$0" && exec "$@"`, filepath.Join(g.dir, "cgroup.procs"), path}, args...)...)
}

// report says how much a program used and wrote, and fails if it is dead.
func (g *group) report(name string, p *program.Process) error {
	peak, err := os.ReadFile(filepath.Join(g.dir, g.peak))
	if err != nil {
		return err
	}
	used, err := strconv.ParseInt(strings.TrimSpace(string(peak)), 10, 64)
	if err != nil {
		return err
	}
	kills, err := os.ReadFile(filepath.Join(g.dir, g.kills))
	if err != nil {
		return err
	}
	descriptors, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", p.Pid()))
	said := p.Stderr.String()
	fmt.Printf("%s: %d MiB at most, %d descriptors at the end, %d lines in its log\n", name, used>>20, len(descriptors), strings.Count(said, "\n"))
	for line := range strings.Lines(string(kills)) {
		if key, n, _ := strings.Cut(strings.TrimSpace(line), " "); key == "oom_kill" && n != "0" {
			return fmt.Errorf("the %s was killed for its memory %s times", name, n)
		}
	}
	if p.Ended() {
		return fmt.Errorf("the %s has ended:\n%s", name, said)
	}
	return nil
}
