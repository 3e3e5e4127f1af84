package pins

import (
	"bufio"
	"fmt"
	"io"
	"time"
)

// tick is the unit of time in a dump: short enough to tell the edges of a frame, long enough
// for a reader that makes a sample of every unit.
const tick = 100 * time.Nanosecond

// maxDump bounds a dump, in bytes; a frame of the Blinkt! takes some eight thousand.
const maxDump = 64 << 20

// Dump writes what pins do as a Value Change Dump (IEEE 1364-2005, section 18), which GTKWave
// and PulseView show. It is for one goroutine at a time.
type Dump struct {
	out     *bufio.Writer
	now     func() time.Duration
	last    int64 // tick of the last change
	written int
	header  bool
	signals []*signal
	err     error
}

type signal struct {
	name  string
	id    byte
	inner Pin
	dump  *Dump
	input bool // released: the level is whatever the wire says
	level bool
	known bool
}

// NewDump returns a dump that writes to out. now returns the time since some start.
func NewDump(out io.Writer, now func() time.Duration) *Dump {
	return &Dump{out: bufio.NewWriter(out), now: now}
}

// Pin returns a pin that does what inner does and is recorded under a name. All pins must be
// added before the first of them is used.
func (d *Dump) Pin(name string, inner Pin) Pin {
	s := &signal{name: name, id: byte('!' + len(d.signals)), inner: inner, dump: d}
	d.signals = append(d.signals, s)
	return s
}

// Flush writes out what is buffered, with a mark of the time so that a reader sees how long the
// last level held, and returns the first error of all writes.
func (d *Dump) Flush() error {
	if d.header && d.err == nil {
		d.last = max(d.last+1, int64(d.now()/tick))
		d.printf("#%d\n", d.last)
	}
	if err := d.out.Flush(); d.err == nil && err != nil {
		d.err = fmt.Errorf("cannot write the waveform: %w", err)
	}
	return d.err
}

func (s *signal) Set(high bool) {
	s.dump.sample()
	s.inner.Set(high)
	s.input = false
	s.dump.record(s, high)
}

func (s *signal) Release() {
	s.dump.sample()
	s.inner.Release()
	s.input = true
	s.dump.record(s, s.inner.Read())
}

func (s *signal) Read() bool {
	level := s.inner.Read()
	s.dump.record(s, level)
	return level
}

// sample looks at the inputs before anything else changes: what a chip does on a released line
// must stand in the dump before the next edge of the clock.
func (d *Dump) sample() {
	for _, s := range d.signals {
		if s.input {
			d.record(s, s.inner.Read())
		}
	}
}

func (d *Dump) record(s *signal, level bool) {
	if s.known && s.level == level {
		return
	}
	s.level, s.known = level, true
	if d.err != nil || d.written > maxDump {
		return
	}
	if !d.header {
		d.writeHeader()
	}
	// No two changes share a tick, or a reader could not tell which came first.
	d.last = max(d.last+1, int64(d.now()/tick))
	bit := '0'
	if level {
		bit = '1'
	}
	d.printf("#%d\n%c%c\n", d.last, bit, s.id)
}

func (d *Dump) writeHeader() {
	d.header = true
	d.printf("$timescale %d ns $end\n$scope module pialert $end\n", tick.Nanoseconds())
	for _, s := range d.signals {
		d.printf("$var wire 1 %c %s $end\n", s.id, s.name)
	}
	d.printf("$upscope $end\n$enddefinitions $end\n#0\n$dumpvars\n")
	for _, s := range d.signals {
		d.printf("x%c\n", s.id)
	}
	d.printf("$end\n")
}

func (d *Dump) printf(format string, args ...any) {
	n, err := fmt.Fprintf(d.out, format, args...)
	d.written += n
	if err != nil && d.err == nil {
		d.err = fmt.Errorf("cannot write the waveform: %w", err)
	}
}
