// Package pins opens the GPIO lines of a Raspberry Pi and gives them back.
//
// Two ways lead to a pin: go-rpio writes the registers of a Pi 0 to 4 through /dev/gpiomem, and
// Linux's GPIO character device serves a Pi 5, whose registers go-rpio does not know. [Open]
// takes the one that fits the board. Its errors say which board was found, which file is
// missing or forbidden, who holds a line, and what to do.
//
// A [Pin] is for one goroutine at a time. Closing the board gives its pins back as they were:
// function, level and, where the board lets it be read, pull. What cannot be read is made what
// it is after power-on: an input (BCM2835 ARM Peripherals, page 92). Through the character
// device a pin that had a function other than input or output is left an input.
package pins

import (
	"fmt"
	"io/fs"
	"strings"
	"time"
)

// Way is how pins are reached.
type Way string

// The ways.
const (
	Auto Way = "auto" // the one that fits the board
	RPIO Way = "rpio" // registers, by go-rpio: Pi 0 to 4
	CDev Way = "cdev" // GPIO character device, by go-gpiocdev: any board with a driver
)

// Open opens the board's GPIO. root is the machine's file system, from "/".
func Open(root fs.FS, way Way) (Board, error) {
	model := Model(root)
	if way == Auto {
		way = wayFor(model)
	}
	switch way {
	case RPIO:
		return openRPIO(root, model)
	case CDev:
		return openCDev(model)
	default:
		return nil, fmt.Errorf("unknown way to the pins %q: use auto, rpio or cdev", way)
	}
}

// Model returns what the board calls itself, such as "Raspberry Pi Zero W Rev 1.1", or "" if it
// does not say. /proc/device-tree leads to the same place in /sys, but a unit with ProcSubset=pid
// does not see it.
func Model(root fs.FS) string {
	for _, path := range []string{"sys/firmware/devicetree/base/model", "proc/device-tree/model"} {
		if text, err := fs.ReadFile(root, path); err == nil {
			return strings.TrimRight(string(text), "\x00\n ")
		}
	}
	return ""
}

// wayFor returns the way to the pins of a model. The Pi 5 and what stands on the same RP1 chip
// have no BCM2835 registers; boards of other makes have a character device if anything.
func wayFor(model string) Way {
	for _, prefix := range []string{"Raspberry Pi 5", "Raspberry Pi 500", "Raspberry Pi Compute Module 5"} {
		if strings.HasPrefix(model, prefix) {
			return CDev
		}
	}
	if strings.HasPrefix(model, "Raspberry Pi") || model == "" {
		return RPIO
	}
	return CDev
}

// Spin waits by watching the clock. A sleep of a microsecond takes the kernel some forty.
func Spin(d time.Duration) {
	for start := time.Now(); time.Since(start) < d; {
	}
}
