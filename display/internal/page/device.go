package page

import (
	"strconv"

	"github.com/pialert/pialert/display/internal/animate"
)

// device is the picture of the device, in tenths of the millimetres of packaging/case.
type device struct {
	Lights []deviceLight
	Cells  []deviceCell
	Colon  bool
}

type deviceLight struct {
	X     int
	Color string
}

// deviceCell is one digit: its segments from A to G.
type deviceCell struct {
	X        int
	Segments [7]segment
}

type segment struct {
	Points string
	On     bool
}

// shapes are the segments of a digit of 44 by 84, from A to G.
var shapes = [7]string{
	"5,4.5 9.5,0 34.5,0 39,4.5 34.5,9 9.5,9",
	"39.5,5.5 44,10 44,36.5 39.5,41 35,36.5 35,10",
	"39.5,43 44,47.5 44,74 39.5,78.5 35,74 35,47.5",
	"5,79.5 9.5,75 34.5,75 39,79.5 34.5,84 9.5,84",
	"4.5,43 9,47.5 9,74 4.5,78.5 0,74 0,47.5",
	"4.5,5.5 9,10 9,36.5 4.5,41 0,36.5 0,10",
	"5,42 9.5,37.5 34.5,37.5 39,42 34.5,46.5 9.5,46.5",
}

// Places in the picture.
const (
	lightFirst, lightStep = 86, 74 // the LEDs stand 7.4 mm apart
	cellFirst, cellStep   = 217, 66
	colonRoom             = 14
)

func deviceOf(p picture) device {
	d := device{Colon: p.Colon && p.Bright > 0}
	for i := range animate.Pixels {
		d.Lights = append(d.Lights, deviceLight{lightFirst + i*lightStep, "#" + p.Lights[6*i:6*i+6]})
	}
	for i := range animate.Cells {
		cell := deviceCell{X: cellFirst + i*cellStep}
		if i >= animate.Cells/2 {
			cell.X += colonRoom
		}
		bits, _ := strconv.ParseUint(p.Cells[2*i:2*i+2], 16, 8)
		for n, points := range shapes {
			cell.Segments[n] = segment{points, p.Bright > 0 && bits>>n&1 == 1}
		}
		d.Cells = append(d.Cells, cell)
	}
	return d
}
