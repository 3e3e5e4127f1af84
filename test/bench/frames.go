package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
)

// What a Pi Zero is taken for. Its ARM1176 begins at most one instruction a cycle; caches that
// miss make it two cycles on average or so. A write to a GPIO register goes over a bus that is
// slower than the core: programs in C that do nothing else toggle a pin some 20 million times a
// second, which is two writes, so 100 ns are ample.
const (
	zeroHertz       = 1e9
	zeroCycles      = 2.0 // per instruction
	zeroPinWrite    = 100e-9
	framesPerSecond = 60
	eventsPerSecond = 4 // each changes the digits
)

// frames estimates what the animation costs a Pi Zero: the instructions of a frame are counted on
// an emulated one, the writes to pins and the waits for the TM1637 by benchmarks.
func (b *bench) frames(ctx context.Context) error {
	draw, err := benchmark(ctx, repository, "./display/internal/blinkt", "Draw", 1000)
	if err != nil {
		return err
	}
	show, err := benchmark(ctx, repository, "./display/internal/tm1637", "Show", 1000)
	if err != nil {
		return err
	}
	instructions, err := b.zeroInstructions(ctx, "./display/internal/framecost")
	if err != nil {
		return err
	}
	writes, wait := draw["pinwrites/frame"], show["waited-µs/picture"]*1e-6
	row("pin writes of a changed frame of the Blinkt!", "", "%.0f", writes)
	row("ARMv6 instructions of a changed frame, with those writes", "", "%s", thousands(int(instructions)))
	row("wait for the TM1637's bus, for each change of the digits", "", "%.2f ms", 1e3*wait)
	load := framesPerSecond*(instructions*zeroCycles/zeroHertz+writes*zeroPinWrite) + eventsPerSecond*wait
	row(fmt.Sprintf("estimate for a Pi Zero: %d changed frames and %d changes of the digits a second", framesPerSecond, eventsPerSecond),
		"below 10 % of its core", "%.1f %% of a core", 100*load)
	return nil
}

// arm makes a machine whose registers are a plain file and becomes an emulated ARM1176 that logs
// each instruction.
const arm = `
set -e
mount -t tmpfs none /dev
truncate -s 540M /dev/mem
exec qemu-arm-static -cpu arm1176 -singlestep -d exec,nochain -D "$LOG" "$PROGRAM" "$FRAMES"
`

// zeroInstructions counts the instructions of one of what a program does N times, on average.
func (b *bench) zeroInstructions(ctx context.Context, pkg string) (float64, error) {
	program := filepath.Join(b.dir, filepath.Base(pkg))
	build := exec.CommandContext(ctx, "go", "build", "-o", program, pkg)
	build.Dir = repository
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm", "GOARM=6")
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%w\n%s", err, out)
	}
	const few, many = 2, 32
	var counts [2]int
	for i, frames := range []int{few, many} {
		var err error
		if counts[i], err = b.instructions(ctx, program, frames); err != nil {
			return 0, err
		}
	}
	return float64(counts[1]-counts[0]) / (many - few), nil
}

// instructions runs the program on an emulated ARM1176 and counts the lines of its log.
func (b *bench) instructions(ctx context.Context, program string, frames int) (int, error) {
	log := filepath.Join(b.dir, "instructions")
	if err := syscall.Mkfifo(log, 0o600); err != nil {
		return 0, fmt.Errorf("cannot make %s: %w", log, err)
	}
	defer os.Remove(log)
	// Opened for both, so that it opens before the emulator does, and also if that never does.
	pipe, err := os.OpenFile(log, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer pipe.Close()
	command := exec.CommandContext(ctx, "unshare", "-rm", "sh", "-c", arm)
	// One core, as a Pi Zero has, and no garbage collection: there is no garbage.
	command.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=off", "PROGRAM="+program, "LOG="+log, "FRAMES="+strconv.Itoa(frames))
	var said bytes.Buffer
	command.Stderr = &said
	if err := command.Start(); err != nil {
		return 0, err
	}
	counted := make(chan int)
	go func() { counted <- countLines(pipe) }()
	err = command.Wait()
	_, last := pipe.Write([]byte{0}) // the end, as far as the counter is concerned
	lines := <-counted
	if err = errors.Join(err, last); err != nil {
		return 0, fmt.Errorf("cannot emulate a Pi Zero: %w\n%s", err, said.String())
	}
	return lines, nil
}

// countLines counts up to the end or a NUL.
func countLines(in io.Reader) (lines int) {
	buffer := make([]byte, 1<<16)
	for {
		n, err := in.Read(buffer)
		lines += bytes.Count(buffer[:n], []byte("\n"))
		if err != nil || bytes.IndexByte(buffer[:n], 0) >= 0 {
			return lines
		}
	}
}
