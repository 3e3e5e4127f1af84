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
	killedByTest outcome = iota + 1 // a test failed, or never ended
	survived                        // no test noticed
	senseless                       // it does not compile
)

// bench runs tests of changed packages.
type bench struct {
	root, dir string
	timeout   time.Duration
}

// healthy fails unless the tests pass as the packages are: else every change would look noticed.
func (b *bench) healthy(ctx context.Context) error {
	for i := range targets {
		out, err := b.test(ctx, &targets[i])
		if err != nil {
			return fmt.Errorf("the tests of %s fail without any change: %w\n%s", targets[i].dir, err, out)
		}
	}
	return nil
}

// try makes one change and runs the tests that should notice.
func (b *bench) try(ctx context.Context, m mutation) (outcome, error) {
	overlay, err := b.overlay(m)
	if err != nil {
		return 0, err
	}
	defer os.Remove(overlay)
	build := exec.CommandContext(ctx, "go", "build", "-overlay", overlay, "./"+m.target.dir)
	build.Dir = b.root
	if build.Run() != nil {
		return senseless, ctx.Err()
	}
	switch _, err := b.test(ctx, m.target, "-overlay", overlay); {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case err == nil:
		return survived, nil
	default:
		return killedByTest, nil
	}
}

// test runs a target's tests.
func (b *bench) test(ctx context.Context, t *target, flags ...string) ([]byte, error) {
	args := append([]string{"test", "-short", "-count=1", "-failfast", "-vet=off", "-timeout", b.timeout.String()}, flags...)
	for _, dir := range t.tests {
		args = append(args, "./"+dir)
	}
	command := exec.CommandContext(ctx, "go", args...)
	command.Dir = b.root
	return command.CombinedOutput()
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
