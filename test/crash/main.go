// Command crash proves that nothing is lost and nothing is counted twice. It writes tens of
// thousands of numbered attacks to a log that is rotated meanwhile, kills agent and display with
// SIGKILL at random moments, and at last compares totals and history with what it wrote.
//
//	go -C test run ./crash -programs ../build
//
// Its last line is "crash-test: K kills, W written, C counted"; it exits with 0 if W is C and
// every number was counted once.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/pialert/pialert/packaging/demo/program"
)

func main() {
	programs := flag.String("programs", "../build", "`folder` of the two programs")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "seed of all that is random")
	span := flag.Duration("span", 38*time.Second, "how long to write and kill")
	kills := flag.Int("kills", 50, "least `number` of kills")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, program.In(*programs), *seed, *span, *kills); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// settle is the longest that agent and display may take to catch up at the end.
const settle = 14 * time.Second

func run(ctx context.Context, programs program.Binaries, seed uint64, span time.Duration, least int) error {
	fmt.Printf("crash-test: seed %d\n", seed)
	dir, err := os.MkdirTemp("", "crash")
	if err != nil {
		return err
	}
	log := filepath.Join(dir, "log", "auth.log")
	pair, err := program.LayOut(dir, programs, program.Settings{
		Logs: []string{fmt.Sprintf("{path: %q, start: beginning}", log)},
	})
	if err != nil {
		return err
	}
	v := &victims{pair: pair, random: rand.New(rand.NewPCG(seed, 1))}
	defer v.end()
	if err := v.begin(ctx); err != nil {
		return fmt.Errorf("%w\nfiles: %s", err, dir)
	}

	a := &attacks{log: log, random: rand.New(rand.NewPCG(seed, 2))}
	if err := assault(ctx, v, a, span, least); err != nil {
		return fmt.Errorf("%w\nfiles: %s", err, dir)
	}
	counted, err := compare(ctx, v, a.written)
	fmt.Printf("crash-test: the log was rotated %d times\n", a.rotated)
	if err != nil {
		fmt.Fprintf(os.Stderr, "seed %d, files: %s\n", seed, dir)
	} else if err = os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, "warning:", err)
		err = nil
	}
	fmt.Printf("crash-test: %d kills, %d written, %d counted\n", v.kills, a.written, counted)
	return err
}

// assault writes and kills for a span, and goes on with both until there were enough kills.
func assault(ctx context.Context, v *victims, a *attacks, span time.Duration, least int) error {
	writing, cancel := context.WithCancel(ctx)
	defer cancel()
	wrote := make(chan error, 1)
	go func() { wrote <- a.run(writing) }()

	every := span / time.Duration(least)
	for end := time.Now().Add(span); time.Now().Before(end) || v.kills < least; {
		// Twice the mean at most; what the restarts take is made up for by the next pauses.
		late := time.Duration(v.kills)*every - (span - time.Until(end))
		wait := max(0, time.Duration(v.random.Int64N(int64(2*every)))+late)
		select {
		case <-time.After(wait):
		case err := <-wrote:
			return errors.Join(err, ctx.Err())
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := v.kill(); err != nil {
			return err
		}
	}
	cancel()
	return <-wrote
}
