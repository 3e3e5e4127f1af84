package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// An agent is idle once what it did at its start is over.
const (
	calm  = 15 * time.Second
	watch = 30 * time.Second
)

// idle measures what the programs cost while nothing happens.
func (b *bench) idle(ctx context.Context) error {
	p, err := b.startPair(ctx)
	if err != nil {
		return err
	}
	defer p.end()
	if err := os.WriteFile(p.log, nil, 0o644); err != nil {
		return err
	}
	if err := pause(ctx, calm); err != nil {
		return err
	}
	before, err := processorTime(p.agent.Pid())
	if err != nil {
		return err
	}
	start := time.Now()
	if err := pause(ctx, watch); err != nil {
		return err
	}
	after, err := processorTime(p.agent.Pid())
	if err != nil {
		return err
	}
	memory, err := resident(p.agent.Pid())
	if err != nil {
		return err
	}
	row("idle agent's memory (resident set)", "below 24 MiB", "%.1f MiB, of which %.1f MiB are of the program's file",
		float64(memory.now)/(1<<20), float64(memory.file)/(1<<20))
	row("idle agent's processor time", "below 0.1 % of a core", "%.3f %% of a core", 100*(after-before).Seconds()/time.Since(start).Seconds())
	display, err := resident(p.display.Pid())
	if err != nil {
		return err
	}
	row("idle display's memory (resident set)", "", "%.1f MiB", float64(display.now)/(1<<20))
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// memory is what a process has in memory, in bytes.
type memory struct{ now, most, file int64 }

// resident reads a process's memory from /proc/PID/status (proc_pid_status(5)).
func resident(pid int) (m memory, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return m, err
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		into := map[string]*int64{"VmRSS": &m.now, "VmHWM": &m.most, "RssFile": &m.file}[name]
		if into == nil {
			continue
		}
		kilobytes, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
		if err != nil {
			return m, fmt.Errorf("cannot read %q: %w", line, err)
		}
		*into = kilobytes << 10
	}
	return m, nil
}

// processorTime adds up what all threads of a process have run, from /proc/PID/task/*/schedstat,
// which counts nanoseconds where /proc/PID/stat counts hundredths of a second.
func processorTime(pid int) (total time.Duration, err error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0, err
	}
	for _, thread := range threads {
		text, err := os.ReadFile(thread)
		if err != nil {
			return 0, err
		}
		first, _, _ := strings.Cut(string(text), " ")
		nanoseconds, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("cannot read %s: %w", thread, err)
		}
		total += time.Duration(nanoseconds)
	}
	return total, nil
}
