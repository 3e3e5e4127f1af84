package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// benchmark runs a Go benchmark of a package, which a module in the folder holds, and returns its
// metrics by unit.
func benchmark(ctx context.Context, module, pkg, name string, rounds int) (map[string]float64, error) {
	command := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^Benchmark"+name+"$", "-benchtime", fmt.Sprintf("%dx", rounds), pkg)
	command.Dir, command.Stderr = module, os.Stderr
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", command, err, out)
	}
	return metrics(string(out), "Benchmark"+name)
}

// benchmarks runs a Go benchmark that has parts and returns the metrics of each by its name and unit.
func benchmarks(ctx context.Context, module, pkg, name string, rounds int) (map[string]map[string]float64, error) {
	command := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^Benchmark"+name+"$", "-benchtime", fmt.Sprintf("%dx", rounds), "-timeout", "1h", pkg)
	command.Dir, command.Stderr = module, os.Stderr
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", command, err, out)
	}
	all := map[string]map[string]float64{}
	for line := range strings.Lines(string(out)) {
		if part, _, ok := strings.Cut(line, "-"); ok && strings.HasPrefix(part, "Benchmark"+name+"/") {
			if all[part], err = metrics(line, part); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// metrics finds a benchmark's line in the output of go test: its name, the rounds, and pairs of a
// value and its unit.
func metrics(out, name string) (map[string]float64, error) {
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) < 4 || strings.Split(fields[0], "-")[0] != name {
			continue
		}
		all := map[string]float64{}
		for i := 2; i+1 < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return nil, fmt.Errorf("cannot read %q: %w", line, err)
			}
			all[fields[i+1]] = value
		}
		return all, nil
	}
	return nil, fmt.Errorf("no %s in:\n%s", name, out)
}

// latency measures the time from a line's write to the first changed frame.
func (b *bench) latency(ctx context.Context) error {
	m, err := benchmark(ctx, ".", "./e2e", "LineToLight", 1000)
	if err != nil {
		return err
	}
	row("a line's write until its light is handed to the driver, 1,000 lines", "median below 1 ms, 99th percentile below 5 ms",
		"median %.2f ms, 99th percentile %.2f ms, worst %.1f ms", m["median-ms"], m["p99-ms"], m["worst-ms"])
	return nil
}
