// Command mutate changes the programs in small ways, one at a time, and says which changes no test
// notices.
//
//	go -C tools run ./mutate -root ..
//
// It draws a sample of the changes that it can make to the packages of targets.go, so that a run
// takes minutes rather than hours; -seed draws another one and -n a larger. Each change is
// compiled through an overlay and never written to the repository. One that does not compile is
// replaced by another. Quick tests run first, and all others only if none of them fails. A change
// that no test notices survives; survivors.yaml lists those that cannot matter, with the reason, and
// they are not tried again. Any other survivor is printed as a diff, and the run fails.
//
// Three kinds of code are left alone, since no caller can tell a change of them: what a return gives
// beside an error, or as 0 beside false; the capacity in a call of make; and what is deferred, which is
// given back late.
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
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// least is the share of changes that the tests must notice, in percent.
const least = 85

func main() {
	root := flag.String("root", "..", "`folder` of the repository")
	n := flag.Int("n", 100, "`number` of changes to try")
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
	before, err := tree(ctx, root)
	if err != nil {
		return err
	}
	sample, err := draw(root, only, seed)
	if err != nil {
		return err
	}
	bench := &bench{root: root, dir: dir}
	if err := bench.healthy(ctx, sample.packages()); err != nil {
		return err
	}

	score := &score{begin: time.Now(), wanted: n}
	if err := score.fill(ctx, bench, sample, accepted); err != nil {
		return err
	}
	switch after, err := tree(ctx, root); {
	case err != nil:
		return err
	case after != before:
		return errors.New("the repository changed while its tests ran: run again and leave it alone")
	}
	return score.verdict()
}

// tree describes what is in the repository: its commit, and what differs from it.
func tree(ctx context.Context, root string) (string, error) {
	command := exec.CommandContext(ctx, "sh", "-ec", "git rev-parse HEAD; git status --porcelain; git diff HEAD")
	command.Dir = root
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("cannot ask git what is in the repository: %w", err)
	}
	return string(out), nil
}

// score counts what became of the changes.
type score struct {
	begin  time.Time
	wanted int

	mu                  sync.Mutex
	killed, late, tried int
	unexplained         int
	failed              error
}

// fill tries changes until as many as are wanted were tried, or there are no more.
func (s *score) fill(ctx context.Context, bench *bench, sample *sample, accepted survivors) error {
	next := func() (mutation, bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return sample.next(s.wanted - s.tried)
	}
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for m, ok := next(); ok && ctx.Err() == nil; m, ok = next() {
				reason := accepted.reason(m)
				result, err := survived, error(nil)
				if reason == "" {
					result, err = bench.try(ctx, m)
				}
				s.mu.Lock()
				sample.settled()
				s.note(m, result, reason)
				s.failed = errors.Join(s.failed, err)
				s.mu.Unlock()
			}
		})
	}
	workers.Wait()
	return errors.Join(s.failed, ctx.Err())
}

// note counts one change, and prints what a reader should look at.
func (s *score) note(m mutation, result outcome, reason string) {
	switch result {
	case killedByTest:
		s.killed++
	case killedByTime:
		s.killed++
		s.late++
		fmt.Printf("out of time: %s\n", m)
	case survived:
		fmt.Printf("survived: %s: %s\n", m, strings.TrimSpace(reason))
		if reason == "" {
			fmt.Println(m.diff())
			s.unexplained++
		}
	default:
		return
	}
	s.tried++
	fmt.Fprintf(os.Stderr, "%v: %d of %d tried, %d killed\n", time.Since(s.begin).Round(time.Second), s.tried, s.wanted, s.killed)
}

// verdict prints the score, and fails if it is too low.
func (s *score) verdict() error {
	if s.late > 0 {
		fmt.Printf("%d of the killed ran out of time: no test fails, one never ends\n", s.late)
	}
	fmt.Printf("mutate: %d of %d killed\n", s.killed, s.tried)
	switch {
	case s.killed*100 < s.tried*least:
		return fmt.Errorf("the tests notice only %d of %d changes, less than %d %%", s.killed, s.tried, least)
	case s.unexplained > 0:
		return fmt.Errorf("%d changes survive without a reason: write a test that fails with them, or list them in tools/mutate/survivors.yaml", s.unexplained)
	}
	return nil
}
