// Command framecost computes frames of an animation that never rests, four sweeps a second, and
// sends them to the LEDs by go-rpio, as the display does. It does nothing else, so that its
// instructions can be counted: what N frames take is what a run with N more frames takes longer.
//
//	framecost N
//
// It needs a board's registers, or a file that stands in for them.
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/pialert/pialert/display/internal/animate"
	"github.com/pialert/pialert/display/internal/blinkt"
	"github.com/pialert/pialert/display/internal/lamp"
	"github.com/pialert/pialert/display/internal/pins"
	"github.com/pialert/pialert/pkg/attack"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run() error {
	frames, err := strconv.Atoi(os.Args[len(os.Args)-1])
	if err != nil {
		return fmt.Errorf("usage: framecost N: %w", err)
	}
	board, err := pins.Open(os.DirFS("/"), pins.RPIO)
	if err != nil {
		return err
	}
	defer board.Close()
	data, err := board.Pin(23)
	if err != nil {
		return err
	}
	clock, err := board.Pin(24)
	if err != nil {
		return err
	}
	leds := blinkt.New(data, clock)
	var lamps []animate.Lamp
	for _, one := range lamp.Defaults() {
		lamps = append(lamps, animate.Lamp{Color: animate.RGB(one.RGB()), LED: one.LED})
	}
	now := time.Date(2026, time.November, 20, 12, 0, 0, 0, time.UTC)
	scene, err := animate.New(lamps, animate.Defaults(), now)
	if err != nil {
		return err
	}
	totals := make([]uint64, len(lamps))
	for n := range frames {
		now = now.Add(time.Second / 60)
		if n%15 == 0 {
			lamp := n / 15 % len(lamps)
			totals[lamp]++
			scene.Add(lamp, 1, attack.Medium, true, now)
		}
		scene.SetTotals(totals, uint64(n))
		frame := scene.Frame(now)
		scene.NextChange(now)
		var picture [blinkt.Count]blinkt.Pixel
		for i, p := range frame.Pixels {
			picture[i] = blinkt.Pixel{Brightness: p.Brightness, R: p.R, G: p.G, B: p.B}
		}
		leds.Draw(&picture)
	}
	return nil
}
