package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/pialert/pialert/display/internal/animate"
	"github.com/pialert/pialert/display/internal/blinkt"
	"github.com/pialert/pialert/display/internal/panel"
	"github.com/pialert/pialert/display/internal/pins"
	"github.com/pialert/pialert/display/internal/tm1637"
)

// hardware is the Blinkt! and the TM1637 on their pins, and the buttons' pins.
type hardware struct {
	strip   strip
	digits  digits
	buttons map[int]pins.Pin // by BCM number
	closers []func() error   // in the order of opening
}

// strip draws frames on the Blinkt!.
type strip struct{ dev *blinkt.Dev }

// Draw never fails: pins cannot.
func (s strip) Draw(pixels [animate.Pixels]animate.Pixel) error {
	var picture [blinkt.Count]blinkt.Pixel
	for i, p := range pixels {
		picture[i] = blinkt.Pixel{Brightness: p.Brightness, R: p.R, G: p.G, B: p.B}
	}
	s.dev.Draw(&picture)
	return nil
}

// digits shows frames on the TM1637.
type digits struct {
	dev  *tm1637.Dev
	pins Wiring
}

// Show returns an error that names the pins if no chip answers.
func (d digits) Show(want animate.Digits) error {
	picture := tm1637.Picture{Segments: want.Cells, Colon: want.Colon, Off: want.Brightness == 0}
	if want.Brightness > 0 {
		picture.Brightness = want.Brightness - 1 // the chip counts its eight steps from 0
	}
	if err := d.dev.Show(picture); err != nil {
		return fmt.Errorf("no answer from the TM1637 on clock BCM %d and data BCM %d, is it wired and powered? %w",
			d.pins.DigitsClock, d.pins.DigitsData, err)
	}
	return nil
}

// Outputs draw on both.
func (h *hardware) Outputs() panel.Outputs { return panel.Outputs{Strip: h.strip, Digits: h.digits} }

// openHardware opens the pins and what is on them.
func openHardware(way pins.Way, cfg Wiring, vcd io.Writer) (*hardware, error) {
	board, err := pins.Open(os.DirFS("/"), way)
	if err != nil {
		return nil, err
	}
	h := &hardware{buttons: map[int]pins.Pin{}, closers: []func() error{board.Close}}
	take := func(bcm int) pins.Pin {
		if err != nil {
			return nil
		}
		var pin pins.Pin
		pin, err = board.Pin(bcm)
		return pin
	}
	wired := wires{take(cfg.BlinktData), take(cfg.BlinktClock), take(cfg.DigitsClock), take(cfg.DigitsData)}
	for _, bcm := range []int{cfg.ButtonShow, cfg.ButtonLights} {
		if bcm >= 0 {
			h.buttons[bcm] = take(bcm)
		}
	}
	if err != nil {
		return nil, errors.Join(err, board.Close())
	}
	h.attach(wired, cfg, vcd)
	return h, nil
}

// openWaveform is hardware that leads nowhere but into a waveform.
func openWaveform(cfg Wiring, vcd io.Writer) *hardware {
	h := &hardware{}
	var bus pins.Unwired
	h.attach(wires{bus.Output(), bus.Output(), bus.Clock(), bus.Data()}, cfg, vcd)
	return h
}

// wires are the four pins that draw.
type wires struct{ blinktData, blinktClock, digitsClock, digitsData pins.Pin }

func (h *hardware) attach(w wires, cfg Wiring, vcd io.Writer) {
	if vcd != nil {
		start := time.Now()
		dump := pins.NewDump(vcd, func() time.Duration { return time.Since(start) })
		w = wires{
			dump.Pin("blinkt_dat", w.blinktData), dump.Pin("blinkt_clk", w.blinktClock),
			dump.Pin("tm1637_clk", w.digitsClock), dump.Pin("tm1637_dio", w.digitsData),
		}
		h.closers = append(h.closers, dump.Flush)
	}
	h.strip = strip{blinkt.New(w.blinktData, w.blinktClock)}
	h.digits = digits{tm1637.New(w.digitsClock, w.digitsData, pins.Spin), cfg}
}

// Close gives the pins back, the last that was opened first.
func (h *hardware) Close() error {
	var problems []error
	for i := len(h.closers) - 1; i >= 0; i-- {
		problems = append(problems, h.closers[i]())
	}
	return errors.Join(problems...)
}
