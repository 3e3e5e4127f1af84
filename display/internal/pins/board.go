package pins

import (
	"errors"
	"fmt"
)

// Pin is one GPIO line, by its BCM number.
type Pin interface {
	// Set drives the line high or low.
	Set(high bool)
	// Release makes the line an input with a pull-up.
	Release()
	// Read returns whether the line is high.
	Read() bool
}

// Board gives out pins.
type Board interface {
	// Pin returns the line with a BCM number of 0 to 27, as an input with a pull-up.
	Pin(bcm int) (Pin, error)
	// Close gives all pins back. Nothing may use them any more.
	Close() error
}

// ErrNoHardware is wrapped by the errors of [Open] where no GPIO can be reached.
var ErrNoHardware = errors.New("no GPIO to drive")

func checkBCM(bcm int) error {
	if bcm < 0 || bcm > 27 {
		return fmt.Errorf("BCM %d is no pin of the header: use 0 to 27", bcm)
	}
	return nil
}

// board names the machine in an error.
func board(model string) string {
	if model == "" {
		return "this machine, which is no Raspberry Pi by its device tree"
	}
	return "this " + model
}
