package pinstest

import "testing"

// TM1637 is a display that decodes its two wires and acknowledges, unless it is Dead.
type TM1637 struct {
	// Dead withholds every acknowledgement.
	Dead bool
	// DeadAfter withholds them after so many bytes; 0 never does.
	DeadAfter int

	// Segments, Brightness and On are what the display shows.
	Segments   [6]uint8
	Brightness uint8
	On         bool

	t            testing.TB
	clock        bool
	released     bool // the driver leaves the data line to its pull-up
	driven       bool // or drives it, to this level
	acknowledges bool // the chip holds the data line low
	listening    bool // between start and stop
	bits         int
	shift        uint8
	frame        []byte
	bytes        int
	log          []string
}

// NewTM1637 returns a dark display on an idle bus. A command that is left open at the test's end
// fails it.
func NewTM1637(t testing.TB) *TM1637 {
	c := &TM1637{t: t, released: true, clock: true}
	t.Cleanup(func() {
		if c.listening {
			t.Errorf("the last command was left open after %x", c.frame)
		}
	})
	return c
}

// Clock is the chip's clock pin.
func (c *TM1637) Clock() Level { return c.setClock }

// Transcript returns what happened on the bus since the last call: start, stop, each byte, and
// each acknowledgement given or withheld.
func (c *TM1637) Transcript() []string {
	log := c.log
	c.log = nil
	return log
}

// Set drives the data line.
func (c *TM1637) Set(high bool) {
	if high && c.acknowledges {
		c.t.Error("the driver drives the data line high while the chip holds it low")
	}
	c.setData(false, high)
}

// Release leaves the data line to its pull-up.
func (c *TM1637) Release() { c.setData(true, true) }

// Read returns the level of the data line.
func (c *TM1637) Read() bool { return c.level() }

func (c *TM1637) level() bool { return (c.released || c.driven) && !c.acknowledges }

func (c *TM1637) setData(released, high bool) {
	before := c.level()
	c.released, c.driven = released, high
	if c.level() == before || !c.clock {
		return
	}
	if before {
		if c.listening {
			c.t.Error("a start inside of a frame")
		}
		c.listening, c.bits, c.frame = true, 0, nil
		c.log = append(c.log, "start")
		return
	}
	if c.bits != 1 {
		// The clock rises once before a stop; anything else cuts a byte in two.
		c.t.Errorf("data rose after %d bits of a byte while the clock was high", c.bits)
	}
	c.listening = false
	c.log = append(c.log, "stop")
	c.execute()
}

func (c *TM1637) setClock(high bool) {
	if high == c.clock {
		return
	}
	c.clock = high
	if !c.listening {
		return
	}
	if high {
		c.bits++
		if c.bits <= 8 {
			c.shift >>= 1
			if c.level() {
				c.shift |= 0x80
			}
		}
		return
	}
	switch c.bits {
	case 8:
		c.bytes++
		c.frame = append(c.frame, c.shift)
		c.log = append(c.log, hex(c.shift))
		if c.Dead || c.DeadAfter > 0 && c.bytes > c.DeadAfter {
			c.log = append(c.log, "nak")
		} else {
			c.acknowledges = true
			c.log = append(c.log, "ack")
		}
	case 9:
		if !c.released {
			c.t.Error("the driver holds the data line during the acknowledgement")
		}
		c.acknowledges, c.bits = false, 0
	}
}

// execute obeys one frame, as pages 5 and 6 of the datasheet have it.
func (c *TM1637) execute() {
	if len(c.frame) == 0 {
		return
	}
	switch command := c.frame[0]; command >> 6 {
	case 1:
		if command != 0x40 {
			c.t.Errorf("data command %#x is none to write with", command)
		}
	case 2:
		c.On, c.Brightness = command&8 != 0, command&7
	case 3:
		for i, segments := range c.frame[1:] {
			if at := int(command&0x3F) + i; at < len(c.Segments) {
				c.Segments[at] = segments
			} else {
				c.t.Errorf("a write to digit %d", at)
			}
		}
	default:
		c.t.Errorf("command %#x is unknown", command)
	}
}

func hex(b uint8) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[b>>4], digits[b&15]})
}
