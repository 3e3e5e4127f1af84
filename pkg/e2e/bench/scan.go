package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Sizes of what is scanned.
const (
	scanLines  = 500_000
	scanRounds = 5
)

// failedPassword is one rule for grep, which the scan has to find beside all others.
const failedPassword = `Failed (password|publickey) for (invalid user )?(.*) from ([0-9.]+) port`

// notFound is one rule for grep on access logs.
const notFound = `^[^ ]+ [^ ]+ [^ ]+ \[[^]]+\] "(GET|POST|HEAD) [^"]*" 40[0-9] `

// scan measures `pialert-agent scan` beside grep.
func (b *bench) scan(ctx context.Context) error {
	err := b.scanBeside(ctx, "sshd", b.sshd, failedPassword, "at least 5 million, aim 8 million; at most 2 × grep")
	return errors.Join(err, b.scanBeside(ctx, "access", b.access, notFound, ""))
}

func (b *bench) scanBeside(ctx context.Context, name, sample, pattern, wanted string) error {
	path := filepath.Join(b.dir, name+".log")
	lines, err := repeat(path, sample, scanLines)
	if err != nil {
		return err
	}
	defer os.Remove(path)
	var scans, greps []time.Duration
	var most int64
	for range scanRounds {
		took, memory, err := timed(exec.CommandContext(ctx, b.programs.Agent, "scan", "--summary", path), "GOMAXPROCS=1")
		if err != nil {
			return err
		}
		scans, most = append(scans, took), max(most, memory)
		took, _, err = timed(exec.CommandContext(ctx, "grep", "-cE", pattern, path), "LC_ALL=C")
		if err != nil {
			return err
		}
		greps = append(greps, took)
	}
	scan, grep := best(scans), best(greps)
	what := fmt.Sprintf("scan of %s lines of `%s`, repeated, on one core", thousands(lines), filepath.Base(sample))
	row(what, wanted, "%.1f million lines/s, %.2f × the time of `grep -cE` (%.3f s to %.3f s)",
		float64(lines)/scan.Seconds()/1e6, scan.Seconds()/grep.Seconds(), scan.Seconds(), grep.Seconds())
	row("memory of that scan (largest resident set)", "below 32 MiB", "%.1f MiB", float64(most)/(1<<20))
	return nil
}

// repeat writes a file of as many whole copies of a sample as give at least so many lines.
func repeat(path, sample string, least int) (lines int, err error) {
	text, err := os.ReadFile(sample)
	if err != nil {
		return 0, err
	}
	each := bytes.Count(text, []byte("\n"))
	if each == 0 {
		return 0, fmt.Errorf("%s has no lines", sample)
	}
	file, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	for ; lines < least && err == nil; lines += each {
		_, err = file.Write(text)
	}
	return lines, errors.Join(err, file.Close())
}

// timed runs a command to its end and returns its wall time and its largest resident set in
// bytes.
func timed(command *exec.Cmd, environment ...string) (time.Duration, int64, error) {
	command.Env = append(os.Environ(), environment...)
	command.Stdout = io.Discard
	command.Stderr = os.Stderr
	start := time.Now()
	err := command.Run()
	took := time.Since(start)
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w", command, err)
	}
	usage, ok := command.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return took, 0, nil
	}
	return took, usage.Maxrss << 10, nil
}

func best(all []time.Duration) time.Duration {
	least := all[0]
	for _, d := range all {
		least = min(least, d)
	}
	return least
}

// thousands writes a number with its thousands apart.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
