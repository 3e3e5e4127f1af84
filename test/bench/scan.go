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
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Sizes of what is scanned.
const (
	scanLines  = 500_000
	scanRounds = 25
)

// failedPassword is one rule for grep, which the scan has to find beside all others.
const failedPassword = `Failed (password|publickey) for (invalid user )?(.*) from ([0-9.]+) port`

// notFound is one rule for grep on access logs.
const notFound = `^[^ ]+ [^ ]+ [^ ]+ \[[^]]+\] "(GET|POST|HEAD) [^"]*" 40[0-9] `

// scan measures `pialert-agent scan` beside grep.
func (b *bench) scan(ctx context.Context) error {
	err := b.scanBeside(ctx, b.sshd, failedPassword, "at least 5 million, aim 8 million; at most 2 × grep")
	if err != nil {
		return err
	}
	access := b.access
	if access == "" {
		access = filepath.Join(b.dir, "mixed-access.log")
		if err := mix(access, recordings+"apache-2.4-access.log"); err != nil {
			return err
		}
	}
	return b.scanBeside(ctx, access, notFound, "")
}

func (b *bench) scanBeside(ctx context.Context, sample, pattern, wanted string) error {
	path := filepath.Join(b.dir, "repeated.log")
	lines, err := repeat(path, sample, scanLines)
	if err != nil {
		return err
	}
	defer os.Remove(path)
	var scans, greps, all []time.Duration
	var most int64
	for range scanRounds {
		one, err := timed(exec.CommandContext(ctx, b.programs.Agent, "scan", "--summary", path), "GOMAXPROCS=1")
		if err != nil {
			return err
		}
		every, err := timed(exec.CommandContext(ctx, b.programs.Agent, "scan", "--summary", path))
		if err != nil {
			return err
		}
		beside, err := timed(exec.CommandContext(ctx, "grep", "-cE", pattern, path), "LC_ALL=C")
		if err != nil {
			return err
		}
		scans, all, greps, most = append(scans, one.processor), append(all, every.wall), append(greps, beside.processor), max(most, one.memory)
	}
	scan, grep, every := best(scans), best(greps), best(all)
	what := fmt.Sprintf("scan of %s lines of `%s`, repeated, ", thousands(lines), filepath.Base(sample))
	row(what+"by processor time on one core", wanted, "%.1f million lines/s, %.2f × that of `grep -cE` (%.3f s to %.3f s)",
		float64(lines)/scan.Seconds()/1e6, scan.Seconds()/grep.Seconds(), scan.Seconds(), grep.Seconds())
	row(fmt.Sprintf("%sby the clock on %d cores", what, runtime.NumCPU()), "", "%.1f million lines/s (%.3f s)", float64(lines)/every.Seconds()/1e6, every.Seconds())
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

// visits are the ordinary requests that follow each one of the recording: path, status and size.
var visits = []string{
	"/ 200 5120", "/about 200 2048", "/blog/2026/11/a-quiet-month 200 10240", "/style.css 200 812", "/script.js 304 0",
	"/images/desk.jpg 200 48211", "/images/logo.png 304 0", "/feed.xml 200 7301", "/favicon.ico 404 196", "/robots.txt 200 64",
}

// mix writes a log in which each line of a recording stands among visits at the same time.
func mix(path, recording string) error {
	text, err := os.ReadFile(recording)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	for line := range bytes.Lines(text) {
		out.Write(line)
		stamp := line[bytes.IndexByte(line, '[') : bytes.IndexByte(line, ']')+1]
		for _, visit := range visits {
			path, rest, _ := strings.Cut(visit, " ")
			fmt.Fprintf(&out, "198.51.100.%d - - %s \"GET %s HTTP/1.1\" %s \"https://www.example.org/\" "+
				"\"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\"\n", out.Len()%250+1, stamp, path, rest)
		}
	}
	return os.WriteFile(path, out.Bytes(), 0o600)
}

// cost is what a command took.
type cost struct {
	wall      time.Duration
	processor time.Duration // of its own, which other work on the machine changes least
	memory    int64         // largest resident set, in bytes
}

// timed runs a command to its end.
func timed(command *exec.Cmd, environment ...string) (cost, error) {
	command.Env = append(os.Environ(), environment...)
	command.Stdout = io.Discard
	command.Stderr = os.Stderr
	start := time.Now()
	err := command.Run()
	took := cost{wall: time.Since(start)}
	if err != nil {
		return took, fmt.Errorf("%s: %w", command, err)
	}
	took.processor = command.ProcessState.UserTime() + command.ProcessState.SystemTime()
	if usage, ok := command.ProcessState.SysUsage().(*syscall.Rusage); ok {
		took.memory = usage.Maxrss << 10
	}
	return took, nil
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
