package pins

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/stianeikeland/go-rpio/v4"
)

// rpioBoard is the one user of go-rpio, whose state is the process's: pins before Open and
// Close without Open panic there.
type rpioBoard struct {
	functions *functions // nil if they cannot be read
	used      []former
}

// former is what a pin was before it was taken.
type former struct {
	pin      rpio.Pin
	function rpio.Mode
	level    rpio.State
	pull     rpio.Pull
}

func openRPIO(root fs.FS, model string) (Board, error) {
	if err := rpio.Open(); err != nil {
		return nil, fmt.Errorf("%w on %s: %s", ErrNoHardware, board(model), explain(root, err))
	}
	// Without them the pins are given back as inputs.
	functions, _ := mapFunctions(root)
	return &rpioBoard{functions: functions}, nil
}

// explain says why go-rpio could not open the registers, and what to do. It tries /dev/mem first,
// and /dev/gpiomem only where that is forbidden.
func explain(root fs.FS, err error) string {
	file := "/dev/gpiomem"
	var at *fs.PathError
	if errors.As(err, &at) {
		file = at.Path
	}
	_, gpiomem := fs.Stat(root, "dev/gpiomem")
	switch {
	case errors.Is(gpiomem, fs.ErrNotExist):
		return "/dev/gpiomem is missing; load its driver with: sudo modprobe bcm2835_gpiomem, " +
			"or set pins: cdev if there is a /dev/gpiochip0, or try --driver terminal"
	case errors.Is(err, fs.ErrPermission) && at != nil:
		return file + " is forbidden; add the user to its group with: sudo usermod -aG gpio USER, then log in again"
	case errors.Is(err, fs.ErrNotExist):
		return file + " is missing though /dev/gpiomem is there; do not hide it (PrivateDevices= in a unit, a container's /dev), " +
			"or set pins: cdev"
	default:
		return fmt.Sprintf("cannot map the GPIO registers: %v; run it as an ordinary user of the group gpio, not as root, "+
			"or set pins: cdev", err)
	}
}

func (b *rpioBoard) Pin(bcm int) (Pin, error) {
	if err := checkBCM(bcm); err != nil {
		return nil, err
	}
	if err := checkFree(bcm); err != nil {
		return nil, err
	}
	p := rpio.Pin(bcm)
	b.used = append(b.used, former{p, b.functions.of(bcm), p.Read(), p.ReadPull()})
	pin := &rpioPin{pin: p, output: true}
	pin.Release()
	pin.pin.PullUp()
	return pin, nil
}

func (b *rpioBoard) Close() error {
	for _, was := range b.used {
		was.restore()
	}
	if err := errors.Join(b.functions.close(), rpio.Close()); err != nil {
		return fmt.Errorf("cannot unmap the GPIO registers: %w", err)
	}
	return nil
}

// restore gives the pin back. Boards before the Pi 4 do not say how a pin was pulled; there it is
// pulled as after power-on: pins up to 8 high, others low (BCM2835 ARM Peripherals, page 102).
func (f former) restore() {
	switch {
	case f.pull != rpio.PullNone:
		f.pin.Pull(f.pull)
	case f.pin <= 8:
		f.pin.PullUp()
	default:
		f.pin.PullDown()
	}
	if f.function == rpio.Output {
		f.pin.Write(f.level)
	}
	f.pin.Mode(f.function)
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
