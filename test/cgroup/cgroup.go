// Package cgroup runs programs in memory cgroups, of version 2 or 1 (cgroups(7)), as systemd's MemoryMax= does.
// The kernel kills what needs more. It takes root.
package cgroup

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// Group is a memory cgroup.
type Group struct {
	dir         string
	limit, peak string // files of the group
	kills       string // where it is written how often somebody was killed
}

// New makes a group that may use so many bytes.
func New(name string, limit int64) (*Group, error) {
	g := &Group{dir: filepath.Join("/sys/fs/cgroup", name), limit: "memory.max", peak: "memory.peak", kills: "memory.events"}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err != nil {
		g = &Group{dir: filepath.Join("/sys/fs/cgroup/memory", name), limit: "memory.limit_in_bytes", peak: "memory.max_usage_in_bytes", kills: "memory.oom_control"}
	}
	if err := os.Mkdir(g.dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("cannot make a memory cgroup: %w", err)
	}
	if err := os.WriteFile(filepath.Join(g.dir, g.limit), []byte(strconv.FormatInt(limit, 10)), 0); err != nil {
		return nil, fmt.Errorf("cannot limit memory: %w", err)
	}
	return g, nil
}

// Remove removes the group, once nothing runs in it.
func (g *Group) Remove() { os.Remove(g.dir) }

// Command runs a program in the group.
func (g *Group) Command(path string, args ...string) *exec.Cmd {
	return exec.Command("sh", append([]string{"-c", `echo $$ > "$0" && exec "$@"`, filepath.Join(g.dir, "cgroup.procs"), path}, args...)...)
}

// Peak returns how many bytes were used at most, with the kernel's own for files.
func (g *Group) Peak() (int64, error) {
	text, err := os.ReadFile(filepath.Join(g.dir, g.peak))
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
}

// Kills returns how often the kernel killed somebody for want of memory.
func (g *Group) Kills() (int, error) {
	text, err := os.ReadFile(filepath.Join(g.dir, g.kills))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if key, n, _ := strings.Cut(strings.TrimSpace(line), " "); key == "oom_kill" {
			return strconv.Atoi(n)
		}
	}
	return 0, fmt.Errorf("%s does not say how often somebody was killed", g.kills)
}
