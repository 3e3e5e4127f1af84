// Package browser holds the page against a real browser: what it shows, to whom, on which screens.
package browser

import (
	"bufio"
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// Sample builds and starts the page with its example's history, whose time stands still, and
// returns its address. It ends with stop.
func Sample(ctx context.Context, repository, dir string) (address string, stop func(), err error) {
	program := dir + "/sample"
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "./display/internal/page/sample")
	build.Dir = repository
	if out, err := build.CombinedOutput(); err != nil {
		return "", nil, fmt.Errorf("cannot build the sample: %w\n%s", err, out)
	}
	ctx, cancel := context.WithCancel(ctx)
	run := exec.CommandContext(ctx, program)
	out, err := run.StdoutPipe()
	if err == nil {
		err = run.Start()
	}
	if err != nil {
		cancel()
		return "", nil, fmt.Errorf("cannot start the sample: %w", err)
	}
	stop = func() {
		cancel()
		run.Wait()
	}
	address, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return "", nil, fmt.Errorf("the sample did not say its address: %w", err)
	}
	return strings.TrimRight(strings.TrimSpace(address), "/"), stop, nil
}
