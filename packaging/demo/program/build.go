// Package program runs PiAlert's two programs as real processes, for the demonstration, the
// end-to-end tests and the benchmarks.
//
// A [Pair] is one agent and one display with configurations, state and sockets in a folder of
// their own, linked over loopback. Either can be started, killed, asked and stopped at any time.
// Every process is ended by the one who started it, and by its own id only.
package program

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
)

// Binaries are the paths of the two programs.
type Binaries struct{ Agent, Display string }

// In names the programs in a folder where they were built before.
func In(dir string) Binaries {
	return Binaries{filepath.Join(dir, "pialert-agent"), filepath.Join(dir, "pialert-display")}
}

// Build builds both programs of a repository into dir.
func Build(ctx context.Context, repository, dir string) (Binaries, error) {
	b := In(dir)
	for path, pkg := range map[string]string{b.Agent: "agent", b.Display: "display"} {
		build := exec.CommandContext(ctx, "go", "build", "-o", path, "./"+pkg)
		build.Dir = repository
		out, err := build.CombinedOutput()
		if err != nil {
			return b, fmt.Errorf("cannot build pialert-%s: %w\n%s", pkg, err, out)
		}
	}
	return b, nil
}
