package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// outcome says what became of a change.
type outcome int

const (
	killedByTest outcome = iota + 1 // a test failed
	killedByTime                    // the tests did not end in many times what they take
	survived                        // no test noticed
	senseless                       // it does not compile
)

// Tests of a change get this many times what they took without it, and at least the least. Endless
// loops are told by processor time, which does not depend on what else the machine does; the clock
// is for a deadlock alone.
const (
	processorFactor = 5
	leastProcessor  = 30 * time.Second
	clockFactor     = 10
	leastClock      = time.Minute
)

// bench runs tests of changed packages.
type bench struct {
	root, dir string
	usual     map[string]usage // by the package that is tested
}

// usage is what the tests of a package take.
type usage struct{ processor, clock time.Duration }

// healthy learns what the tests take, and fails unless they pass as the packages are: else every
// change would look noticed.
func (b *bench) healthy(ctx context.Context, packages []string) error {
	b.usual = map[string]usage{}
	for _, dir := range packages {
		begin := time.Now()
		out, processor, err := b.test(ctx, dir, usage{time.Hour, time.Hour})
		if err != nil {
			return fmt.Errorf("the tests of %s fail without any change: %w\n%s", dir, err, out)
		}
		b.usual[dir] = usage{processor, time.Since(begin)}
	}
	return nil
}

// limits returns what the tests of a package may take after a change.
func (b *bench) limits(dir string) usage {
	usual := b.usual[dir]
	return usage{
		max(leastProcessor, processorFactor*usual.processor),
		max(leastClock, clockFactor*usual.clock),
	}
}

// try makes one change and runs the tests that should notice, one package after the other.
func (b *bench) try(ctx context.Context, m mutation) (outcome, error) {
	overlay, err := b.overlay(m)
	if err != nil {
		return 0, err
	}
	defer os.Remove(overlay)
	for _, dir := range m.target.tests {
		out, _, err := b.test(ctx, dir, b.limits(dir), "-overlay", overlay)
		switch {
		case ctx.Err() != nil:
			return 0, ctx.Err()
		case err == nil:
		case bytes.Contains(out, []byte("[build failed]")):
			return senseless, nil
		case bytes.Contains(out, []byte("panic: test timed out")), bytes.Contains(out, []byte("CPU time limit exceeded")), bytes.Contains(out, []byte("signal: killed")):
			return killedByTime, nil
		default:
			return killedByTest, nil
		}
	}
	return survived, nil
}

// test runs a package's tests, and returns what they print and the processor time that they and
// their compiler take.
func (b *bench) test(ctx context.Context, dir string, most usage, flags ...string) ([]byte, time.Duration, error) {
	args := append([]string{
		"test", "-short", "-count=1", "-failfast", "-vet=off",
		"-timeout", most.clock.String(),
		"-exec", fmt.Sprintf(`sh -c 'ulimit -t %d && exec "$0" "$@"'`, int(most.processor.Seconds())),
	}, flags...)
	command := exec.CommandContext(ctx, "go", append(args, "./"+dir)...)
	command.Dir = b.root
	out, err := command.CombinedOutput()
	if command.ProcessState == nil {
		return out, 0, err
	}
	return out, command.ProcessState.UserTime() + command.ProcessState.SystemTime(), err
}

// overlay writes the changed file and what tells the compiler to read it in place of the real one.
func (b *bench) overlay(m mutation) (string, error) {
	changed, err := os.CreateTemp(b.dir, "*.go")
	if err != nil {
		return "", err
	}
	_, err = changed.Write(m.mutated())
	if err = errors.Join(err, changed.Close()); err != nil {
		return "", err
	}
	original, err := filepath.Abs(filepath.Join(b.root, m.file))
	if err != nil {
		return "", err
	}
	var text bytes.Buffer
	if err := json.NewEncoder(&text).Encode(map[string]any{"Replace": map[string]string{original: changed.Name()}}); err != nil {
		return "", err
	}
	path := changed.Name() + ".json"
	return path, os.WriteFile(path, text.Bytes(), 0o600)
}
