package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
	leastProcessor  = 10 * time.Second
	clockFactor     = 10
	leastClock      = 30 * time.Second
)

// bench runs tests of changed packages.
type bench struct {
	root, dir string
	suites    map[string]*suite // by the package that is tested
}

// healthy learns what the tests take, and fails unless they pass as the packages are: else every
// change would look noticed.
func (b *bench) healthy(ctx context.Context, packages []string) error {
	b.suites = map[string]*suite{}
	for _, dir := range packages {
		binary := filepath.Join(b.dir, "unchanged.test")
		if out, err := b.build(ctx, dir, binary); err != nil {
			return fmt.Errorf("the tests of %s do not compile: %w\n%s", dir, err, out)
		}
		learned, err := b.learn(ctx, dir, binary)
		if err != nil {
			return err
		}
		b.suites[dir] = learned
	}
	return nil
}

// try makes one change and runs the tests that should notice: the quick ones of each package first,
// since they notice most.
func (b *bench) try(ctx context.Context, m mutation) (outcome, error) {
	dir, err := os.MkdirTemp(b.dir, "change")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	overlay, err := b.overlay(dir, m)
	if err != nil {
		return 0, err
	}
	binary := func(tested string) string { return filepath.Join(dir, strings.ReplaceAll(tested, "/", "_")+".test") }
	for round := range rounds {
		for _, tested := range m.target.tests {
			if round == 0 {
				if _, err := b.build(ctx, tested, binary(tested), "-overlay", overlay); err != nil {
					return senseless, ctx.Err()
				}
			}
			out, err := b.suites[tested].run(ctx, b.root, binary(tested), round)
			switch {
			case ctx.Err() != nil:
				return 0, ctx.Err()
			case err == nil:
			case bytes.Contains(out, []byte("panic: test timed out")), outOfProcessor(err):
				return killedByTime, nil
			default:
				return killedByTest, nil
			}
		}
	}
	return survived, nil
}

// build compiles the tests of a package.
func (b *bench) build(ctx context.Context, dir, binary string, flags ...string) ([]byte, error) {
	args := append([]string{"test", "-c", "-vet=off", "-ldflags=-s -w", "-o", binary}, flags...)
	command := exec.CommandContext(ctx, "go", append(args, "./"+dir)...)
	command.Dir = b.root
	return command.CombinedOutput()
}

// overlay writes the changed file and what tells the compiler to read it in place of the real one.
func (b *bench) overlay(dir string, m mutation) (string, error) {
	changed, err := filepath.Abs(filepath.Join(dir, "changed.go"))
	if err != nil {
		return "", err
	}
	original, err := filepath.Abs(filepath.Join(b.root, m.file))
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	text := fmt.Appendf(nil, `{"Replace": {%q: %q}}`, original, changed)
	return path, errors.Join(os.WriteFile(changed, m.mutated(), 0o600), os.WriteFile(path, text, 0o600))
}
