// Command mutate changes the programs in small ways, one at a time, and says which changes no test
// notices.
//
//	go -C tools run ./mutate -root ..
//
// It draws a sample of the changes that it can make to the packages of targets.go, so that a run
// takes minutes rather than hours; -seed draws another one and -n a larger. Each change is
// compiled through an overlay and never written to the repository. One that does not compile is
// replaced by another. A change that the tests do not notice survives; survivors.yaml lists those that
// cannot matter, with the reason. Any other survivor is printed as a diff, and the run fails.
//
// The maintained tools for Go run every mutation of a package and have no list of accepted
// survivors; for these packages that is a day, which nobody waits for.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
)

// least is the share of changes that the tests must notice, in percent.
const least = 85

func main() {
	root := flag.String("root", "..", "`folder` of the repository")
	n := flag.Int("n", 120, "`number` of changes to try")
	seed := flag.Uint64("seed", 1, "draws the sample")
	only := flag.String("only", "", "try changes only in files whose path contains this `text`")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *root, *only, *n, *seed); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, root, only string, n int, seed uint64) error {
	accepted, err := loadSurvivors(filepath.Join(root, "tools/mutate/survivors.yaml"))
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	bench := &bench{root: root, dir: dir}
	sample, err := draw(root, only, seed)
	if err != nil {
		return err
	}
	if err := bench.healthy(ctx, sample.packages()); err != nil {
		return err
	}

	var mu sync.Mutex
	var killed, late, tried int
	var unexplained []mutation
	next := func() (mutation, bool) {
		mu.Lock()
		defer mu.Unlock()
		return sample.next(n - tried)
	}
	var workers sync.WaitGroup
	var failed error
	for range runtime.NumCPU() {
		workers.Go(func() {
			for m, ok := next(); ok && ctx.Err() == nil; m, ok = next() {
				outcome, err := bench.try(ctx, m)
				mu.Lock()
				sample.settled()
				if tried%10 == 9 && outcome != senseless {
					fmt.Fprintf(os.Stderr, "%d of %d tried\n", tried+1, n)
				}
				switch {
				case err != nil:
					failed = errors.Join(failed, err)
				case outcome == killedByTest:
					killed, tried = killed+1, tried+1
				case outcome == killedByTime:
					killed, late, tried = killed+1, late+1, tried+1
					fmt.Printf("out of time: %s\n", m)
				case outcome == survived:
					tried++
					reason := accepted.reason(m)
					fmt.Printf("survived: %s: %s\n", m, strings.TrimSpace(reason))
					if reason == "" {
						fmt.Println(m.diff())
						unexplained = append(unexplained, m)
					}
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	if err := errors.Join(failed, ctx.Err()); err != nil {
		return err
	}
	defer fmt.Printf("mutate: %d of %d killed\n", killed, tried)
	if late > 0 {
		fmt.Printf("%d of the killed ran out of time: no test fails, one never ends\n", late)
	}
	switch {
	case killed*100 < tried*least:
		return fmt.Errorf("the tests notice only %d of %d changes, less than %d %%", killed, tried, least)
	case len(unexplained) > 0:
		return fmt.Errorf("%d changes survive without a reason: write a test that fails with them, or list them in tools/mutate/survivors.yaml", len(unexplained))
	}
	return nil
}
