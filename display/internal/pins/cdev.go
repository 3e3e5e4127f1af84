package pins

import (
	"errors"
	"fmt"
	"slices"
	"syscall"

	"github.com/warthog618/go-gpiocdev"
)

// headerLabels are the names that the kernel gives the chip behind the 40-pin header: the BCM283x
// and 2711 drivers', and the RP1's of a Pi 5 (whose chip was number 4 at first and is 0 now, so
// that the number says nothing).
var headerLabels = []string{"pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835"}

type cdevBoard struct {
	chip *gpiocdev.Chip
	used []lent
}

// lent is a line and what it was before it was taken.
type lent struct {
	line   *gpiocdev.Line
	before gpiocdev.LineConfig
	level  int
}

func openCDev(model string) (Board, error) {
	chip, err := openHeader()
	if err != nil {
		return nil, fmt.Errorf("%w on %s: %w", ErrNoHardware, board(model), err)
	}
	return &cdevBoard{chip: chip}, nil
}

// openHeader opens the chip behind the header, or else the first that there is.
func openHeader() (*gpiocdev.Chip, error) {
	names := gpiocdev.Chips()
	if len(names) == 0 {
		return nil, errors.New("there is no /dev/gpiochip0: this kernel has no GPIO driver; try --driver terminal")
	}
	var first *gpiocdev.Chip
	var problems []error
	for _, name := range names {
		chip, err := gpiocdev.NewChip(name, gpiocdev.WithConsumer("pialert-display"))
		switch {
		case err != nil:
			problems = append(problems, fmt.Errorf("/dev/%s: %w", name, err))
		case slices.Contains(headerLabels, chip.Label):
			if first != nil {
				first.Close()
			}
			return chip, nil
		case first == nil:
			first = chip
		default:
			chip.Close()
		}
	}
	if first == nil {
		return nil, fmt.Errorf("%w; add the user to its group with: sudo usermod -aG gpio USER, then log in again", errors.Join(problems...))
	}
	return first, nil
}

func (b *cdevBoard) Pin(bcm int) (Pin, error) {
	if err := checkBCM(bcm); err != nil {
		return nil, err
	}
	before, err := b.chip.LineInfo(bcm)
	if err != nil {
		return nil, fmt.Errorf("cannot look at BCM %d of %s: %w", bcm, b.chip.Name, err)
	}
	line, err := b.chip.RequestLine(bcm) // as it is
	if errors.Is(err, syscall.EBUSY) {
		return nil, busy(bcm, before.Consumer)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot take BCM %d of %s: %w", bcm, b.chip.Name, err)
	}
	level, err := line.Value()
	if err == nil {
		err = line.Reconfigure(gpiocdev.AsInput, gpiocdev.WithPullUp)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot make BCM %d of %s an input: %w", bcm, b.chip.Name, err), line.Close())
	}
	b.used = append(b.used, lent{line, before.Config, level})
	return &cdevPin{line: line}, nil
}

func (b *cdevBoard) Close() error {
	var problems []error
	for _, l := range b.used {
		problems = append(problems, l.restore(), l.line.Close())
	}
	return errors.Join(append(problems, b.chip.Close())...)
}

func (l lent) restore() error {
	if l.before.Direction == gpiocdev.LineDirectionOutput {
		return l.line.Reconfigure(gpiocdev.AsOutput(l.level))
	}
	switch l.before.Bias {
	case gpiocdev.LineBiasPullUp:
		return l.line.Reconfigure(gpiocdev.AsInput, gpiocdev.WithPullUp)
	case gpiocdev.LineBiasPullDown:
		return l.line.Reconfigure(gpiocdev.AsInput, gpiocdev.WithPullDown)
	default:
		return l.line.Reconfigure(gpiocdev.AsInput)
	}
}

// checkFree returns an error if the kernel or another program holds a pin of the header, as far
// as the character device can be asked: who writes registers does not have to.
func checkFree(bcm int) error {
	chip, err := openHeader()
	if err != nil {
		return nil
	}
	defer chip.Close()
	line, err := chip.LineInfo(bcm)
	if err != nil || !line.Used || line.Consumer == "" {
		return nil // used by nobody with a name is a pin with another function
	}
	return busy(bcm, line.Consumer)
}

// busy says who holds a pin. A driver such as the one-wire bus's, on BCM 4, is there because of
// an overlay.
func busy(bcm int, holder string) error {
	if holder == "" {
		holder = "another program"
	} else {
		holder = fmt.Sprintf("%q", holder)
	}
	return fmt.Errorf("BCM %d is held by %s: stop it, or if it is a driver remove its dtoverlay= from /boot/firmware/config.txt, "+
		"or configure another pin (pins: in display.yaml)", bcm, holder)
}

// cdevPin leaves errors of single edges aside: a line that was granted fails only when its chip
// is unplugged, and then the TM1637's missing acknowledgement tells.
type cdevPin struct {
	line   *gpiocdev.Line
	output bool
}

func (p *cdevPin) Set(high bool) {
	level := 0
	if high {
		level = 1
	}
	if p.output {
		p.line.SetValue(level)
		return
	}
	p.line.Reconfigure(gpiocdev.AsOutput(level))
	p.output = true
}

func (p *cdevPin) Release() {
	if p.output {
		p.line.Reconfigure(gpiocdev.AsInput, gpiocdev.WithPullUp)
		p.output = false
	}
}

func (p *cdevPin) Read() bool {
	value, err := p.line.Value()
	return err != nil || value == 1
}
