// Command record attacks real daemons on machines of its own and writes what they log, with the
// truth of what was done, for the demonstration and for the detector's tests.
//
//	sudo go -C test run ./record -demo ../packaging/demo
//	sudo go -C test run ./record -real ../agent/internal/detect/testdata/real -debian13 /srv/trixie
//
// The folder for -debian13 is made with
//
//	sudo mmdebstrap --variant=minbase --include=openssh-server trixie /srv/trixie
//
// A recording is what the daemons wrote, unchanged. Its host is called vps, and its sources are
// documentation addresses.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	demo := flag.String("demo", "", "`folder` to write the demonstration's logs to")
	real := flag.String("real", "", "`folder` to write the detector's logs to")
	debian13 := flag.String("debian13", "", "root `folder` of a Debian 13, for OpenSSH 10's log")
	flag.Parse()

	if *demo != "" {
		if err := recordDemo(ctx, *demo); err != nil {
			return fmt.Errorf("cannot record the demonstration: %w", err)
		}
	}
	if *real != "" {
		if err := recordReal(ctx, *real, *debian13); err != nil {
			return fmt.Errorf("cannot record for the detector: %w", err)
		}
	}
	return nil
}
