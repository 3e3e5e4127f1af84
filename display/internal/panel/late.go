package panel

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pialert/pialert/display/internal/animate"
)

// Device is hardware that is drawn on.
type Device interface {
	Outputs() Outputs
	Close() error
}

// Late is a device that may be missing: it is opened when it is first drawn on, and again while that
// fails. Meanwhile whoever draws gets the reason, and everything else goes on. Its methods are safe for
// concurrent use.
type Late[D Device] struct {
	open  func() (D, error)
	ready chan struct{} // closed once it is open

	mu      sync.Mutex
	device  D
	outputs Outputs // of the device; none while it is missing
	problem error   // why it is
	tried   time.Time
}

// triedLong is how long a failure stands for both the LEDs and the digits, which try one after the
// other.
const triedLong = time.Second

// NewLate returns a device that open opens. It opens nothing.
func NewLate[D Device](open func() (D, error)) *Late[D] {
	return &Late[D]{open: open, ready: make(chan struct{})}
}

// Open opens the device unless it is open. Whoever can do nothing without it asks for it so.
func (l *Late[D]) Open() error {
	_, err := l.get()
	return err
}

// Outputs draw on the strip and the digits of the device once it is there.
func (l *Late[D]) Outputs() Outputs { return Outputs{Strip: lateStrip[D]{l}, Digits: lateDigits[D]{l}} }

// Wait returns the device as soon as it is open, or the error of ctx. It opens nothing.
func (l *Late[D]) Wait(ctx context.Context) (device D, err error) {
	select {
	case <-l.ready:
		return l.device, nil
	case <-ctx.Done():
		return device, context.Cause(ctx)
	}
}

// Close closes the device if it was opened.
func (l *Late[D]) Close() error {
	select {
	case <-l.ready:
		return l.device.Close()
	default:
		return nil
	}
}

// get returns what to draw on, and opens the device if need be.
func (l *Late[D]) get() (Outputs, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.ready:
		return l.outputs, nil
	default:
	}
	if l.problem != nil && time.Since(l.tried) < triedLong {
		return Outputs{}, l.problem
	}
	device, err := l.open()
	l.tried = time.Now()
	if err != nil {
		l.problem = fmt.Errorf("lights: %w", err)
		return Outputs{}, l.problem
	}
	l.device, l.outputs = device, device.Outputs()
	close(l.ready)
	return l.outputs, nil
}

type lateStrip[D Device] struct{ *Late[D] }

func (l lateStrip[D]) Draw(pixels [animate.Pixels]animate.Pixel) error {
	out, err := l.get()
	if err != nil {
		return err
	}
	return out.Strip.Draw(pixels)
}

type lateDigits[D Device] struct{ *Late[D] }

func (l lateDigits[D]) Show(digits animate.Digits) error {
	out, err := l.get()
	if err != nil {
		return err
	}
	return out.Digits.Show(digits)
}

// Beside returns outputs that draw on both, such as a terminal and a waveform. The legend is the first one's.
func Beside(first, second Outputs) Outputs {
	if first.Strip == nil {
		return second
	}
	two := both{first, second}
	return Outputs{Strip: two, Digits: two, Legend: first.Legend}
}

type both struct{ first, second Outputs }

func (b both) Draw(pixels [animate.Pixels]animate.Pixel) error {
	return errors.Join(b.first.Strip.Draw(pixels), b.second.Strip.Draw(pixels))
}

func (b both) Show(digits animate.Digits) error {
	return errors.Join(b.first.Digits.Show(digits), b.second.Digits.Show(digits))
}
