// Command crash proves that nothing is lost and nothing is counted twice. It writes tens of
// thousands of numbered attacks to a log that is rotated meanwhile, kills agent and display with
// SIGKILL at random moments, changes their keys, and at last compares totals and history with what it wrote.
//
//	go -C test run ./crash -programs ../build
//	go -C test run ./crash -programs ../build -disk 48     as root: also fills either's disk now and then
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
	disk := flag.Int("disk", 0, "size of a disk of each program's own in `MiB`, which is filled now and then; 0 fills none")
	flag.DurationVar(&settle, "settle", settle, "the longest that both may take to catch up at the end")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, program.In(*programs), *seed, *span, *kills, *disk); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// settle is the longest that agent and display may take to catch up at the end.
var settle = 14 * time.Second

func run(ctx context.Context, programs program.Binaries, seed uint64, span time.Duration, least, disk int) error {
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
	if disk > 0 {
		if v.disks, err = mountDisks(dir, disk); err != nil {
			return err
		}
		defer v.disks.unmount()
	}
	if err := v.begin(ctx); err != nil {
		return fmt.Errorf("%w\nfiles: %s", err, dir)
	}

	a := &attacks{log: log, random: rand.New(rand.NewPCG(seed, 2)), kept: 3}
	if disk > 0 { // nothing is read while a disk is full: what is deleted then is lost
		a.kept = 1000
	}
	if err := assault(ctx, v, a, span, least); err != nil {
		return fmt.Errorf("%w\nfiles: %s", err, dir)
	}
	counted, err := compare(ctx, v, a.written)
	fmt.Printf("crash-test: the log was rotated %d times, keys were changed %d times, disks were filled %d times\n", a.rotated, v.changes, v.disks.filled())
	if err != nil {
		fmt.Fprintf(os.Stderr, "seed %d, files: %s\n", seed, dir)
	} else if err = errors.Join(v.disks.unmount(), os.RemoveAll(dir)); err != nil {
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
		v.disks.toggle(v.random)
		if err := v.kill(); err != nil {
			return err
		}
		if err := v.changeKey(ctx); err != nil {
			return err
		}
	}
	v.disks.empty()
	cancel()
	return <-wrote
}
