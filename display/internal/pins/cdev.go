package pins

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/warthog618/go-gpiocdev"
)

// headerLabels are the names that the kernel gives the chip behind the 40-pin header: the BCM283x
// and 2711 drivers', and the RP1's of a Pi 5 (whose chip was number 4 at first and is 0 now, so
// that the number says nothing).
var headerLabels = []string{"pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835"}

type cdevBoard struct {
	chip *gpiocdev.Chip
	used []*gpiocdev.Line
}

func openCDev(_ fs.FS, model string) (Board, error) {
	names := gpiocdev.Chips()
	if len(names) == 0 {
		return nil, fmt.Errorf("%w on %s: there is no /dev/gpiochip0 that can be opened; add the user to the group gpio, or try --driver terminal",
			ErrNoHardware, board(model))
	}
	var first *gpiocdev.Chip
	var problems []error
	for _, name := range names {
		chip, err := gpiocdev.NewChip(name, gpiocdev.WithConsumer("pialert-display"))
		if err != nil {
			problems = append(problems, err)
			continue
		}
		for _, label := range headerLabels {
			if chip.Label == label {
				if first != nil {
					first.Close()
				}
				return &cdevBoard{chip: chip}, nil
			}
		}
		if first == nil {
			first = chip
		} else {
			chip.Close()
		}
	}
	if first == nil {
		return nil, fmt.Errorf("%w on %s: %v; add the user to the group gpio", ErrNoHardware, board(model), errors.Join(problems...))
	}
	return &cdevBoard{chip: first}, nil
}

func (b *cdevBoard) Pin(bcm int) (Pin, error) {
	if err := checkBCM(bcm); err != nil {
		return nil, err
	}
	line, err := b.chip.RequestLine(bcm, gpiocdev.AsInput, gpiocdev.WithPullUp)
	if errors.Is(err, syscall.EBUSY) {
		holder := "another program"
		if info, err := b.chip.LineInfo(bcm); err == nil && info.Consumer != "" {
			holder = fmt.Sprintf("%q", info.Consumer)
		}
		return nil, fmt.Errorf("BCM %d is held by %s: stop it, or configure another pin", bcm, holder)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot take BCM %d of %s: %w", bcm, b.chip.Name, err)
	}
	b.used = append(b.used, line)
	return &cdevPin{line: line}, nil
}

func (b *cdevBoard) Close() error {
	var problems []error
	for _, line := range b.used {
		problems = append(problems, line.Reconfigure(gpiocdev.AsInput), line.Close())
	}
	return errors.Join(append(problems, b.chip.Close())...)
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
