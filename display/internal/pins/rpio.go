package pins

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/stianeikeland/go-rpio/v4"
)

// rpioBoard is the one user of go-rpio, whose state is the process's: pins before Open and
// Close without Open panic there.
type rpioBoard struct{ used []rpio.Pin }

func openRPIO(root fs.FS, model string) (Board, error) {
	if _, err := fs.Stat(root, "dev/gpiomem"); errors.Is(err, fs.ErrNotExist) && os.Geteuid() != 0 {
		return nil, fmt.Errorf("%w on %s: /dev/gpiomem is missing; try --driver terminal, or pins: cdev if /dev/gpiochip0 is there",
			ErrNoHardware, board(model))
	}
	err := rpio.Open()
	switch {
	case err == nil:
		return &rpioBoard{}, nil
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w on %s: /dev/gpiomem is forbidden; add the user to its group with: sudo usermod -aG gpio USER, then log in again",
			ErrNoHardware, board(model))
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w on %s: %v; try --driver terminal, or run as a user of the group gpio", ErrNoHardware, board(model), err)
	default:
		return nil, fmt.Errorf("%w on %s: cannot map the GPIO registers: %v; try pins: cdev, or --driver terminal", ErrNoHardware, board(model), err)
	}
}

func (b *rpioBoard) Pin(bcm int) (Pin, error) {
	if err := checkBCM(bcm); err != nil {
		return nil, err
	}
	pin := &rpioPin{pin: rpio.Pin(bcm), output: true}
	b.used = append(b.used, pin.pin)
	pin.Release()
	pin.pin.PullUp()
	return pin, nil
}

func (b *rpioBoard) Close() error {
	for _, pin := range b.used {
		pin.PullOff()
		pin.Input()
	}
	if err := rpio.Close(); err != nil {
		return fmt.Errorf("cannot unmap the GPIO registers: %w", err)
	}
	return nil
}

// rpioPin remembers its direction: changing it is a read and a write of a register, where
// setting a level is one write.
type rpioPin struct {
	pin    rpio.Pin
	output bool
}

func (p *rpioPin) Set(high bool) {
	if high {
		p.pin.High()
	} else {
		p.pin.Low()
	}
	if !p.output {
		p.pin.Output()
		p.output = true
	}
}

func (p *rpioPin) Release() {
	if p.output {
		p.pin.Input()
		p.output = false
	}
}

func (p *rpioPin) Read() bool { return p.pin.Read() == rpio.High }
