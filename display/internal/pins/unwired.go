package pins

// Unwired stands in for a board's pins where there are none, so that a waveform can be made on
// any machine: outputs lead nowhere, and on the two-wire bus of Clock and Data something
// acknowledges every byte, as a TM1637 would.
type Unwired struct {
	clock, data  bool // levels as driven; data is true when released
	bits         int  // clocks of the current byte, 9 with the acknowledgement
	acknowledges bool // the line is held low
}

// Clock returns the bus's clock.
func (u *Unwired) Clock() Pin { return unwiredClock{u} }

// Data returns the bus's data line.
func (u *Unwired) Data() Pin { return unwiredData{u} }

// Output returns a pin that leads nowhere.
func (u *Unwired) Output() Pin { return &unwiredOutput{} }

type unwiredClock struct{ bus *Unwired }

func (c unwiredClock) Set(high bool) {
	if high == c.bus.clock {
		return
	}
	c.bus.clock = high
	switch {
	case high:
		c.bus.bits++
	case c.bus.bits == 8:
		c.bus.acknowledges = true
	case c.bus.bits == 9:
		c.bus.acknowledges, c.bus.bits = false, 0
	}
}

func (c unwiredClock) Release()   { c.Set(true) }
func (c unwiredClock) Read() bool { return c.bus.clock }

type unwiredData struct{ bus *Unwired }

func (d unwiredData) Set(high bool) {
	if d.bus.clock && high != d.bus.data {
		d.bus.bits = 0 // a start or a stop condition
	}
	d.bus.data = high
}

func (d unwiredData) Release()   { d.Set(true) }
func (d unwiredData) Read() bool { return d.bus.data && !d.bus.acknowledges }

type unwiredOutput struct{ level bool }

func (o *unwiredOutput) Set(high bool) { o.level = high }
func (o *unwiredOutput) Release()      { o.level = true }
func (o *unwiredOutput) Read() bool    { return o.level }
