package terminal

import "github.com/pialert/pialert/display/internal/animate"

// Lamp is what is written of a lamp.
type Lamp struct {
	Name  string
	Label string // what people read; may be empty
	Color animate.RGB
}

// state is what the picture shows.
type state struct {
	lamps  []Lamp
	pixels [animate.Pixels]animate.Pixel
	digits animate.Digits
	totals [animate.Pixels]uint64
	grand  uint64
	recent [animate.Pixels]activity
	note   string // the latest line of the log
	lit    struct {
		pixels [animate.Pixels]animate.Pixel // the last that were not all dark
		digits animate.Digits
	}
}

func (l *Lamp) label() string {
	if l.Label != "" {
		return l.Label
	}
	return l.Name
}
