package header

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// forms are lines of every form that is known.
func forms() [][]byte {
	var all [][]byte
	for _, test := range headerTests {
		all = append(all, []byte(test.line))
	}
	for _, test := range ownTests {
		all = append(all, []byte(test.line))
	}
	for _, line := range plainHeaders {
		all = append(all, []byte(line))
	}
	return all
}

// cutAnything takes any bytes for a line. Nothing may panic, parts lie within the line, and what a recent header takes off a line
// is what is taken off without it.
func cutAnything(t *testing.T, line []byte) {
	t.Helper()
	Stamped(line)
	if Wrapped(line) {
		var nobody Trust
		_, _ = Unwrap(line, &nobody) // nothing but that it returns
	}
	var m Message
	if !m.Cut(line) {
		return
	}
	for _, part := range [][]byte{m.Stamp.Text, m.Host, m.PAM, m.Body} {
		if !bytes.Contains(line, part) {
			t.Errorf("%q is no part of %q", part, line)
		}
	}
	clock := Clock{Location: time.UTC}
	if sec, _, ok := clock.Read(m.Stamp, now); ok && !possible(time.Unix(sec, 0).UTC()) && m.Stamp.Form != Epoch {
		t.Errorf("%q: %d s", line, sec)
	}
	again := slices.Clone(line)
	sameAsSlow(t, string(line), again)
	m.CutPAM()
	LastRepeated(m.Body)
	Repeated(m.Body)
}

// The front of a line of one form, and the end of one of another, with other bytes between: files in which programs write at the
// same time have such lines, and whoever may write to a log can make them.
func TestTornLines(t *testing.T) {
	t.Parallel()
	const between = " :[](){}<>,.-+_0aZ=\"\\\t\x00\xff"
	all := forms()
	random := rand.New(rand.NewPCG(1, 2))
	for range 300_000 {
		front, end := all[random.IntN(len(all))], all[random.IntN(len(all))]
		line := slices.Clone(front[:random.IntN(len(front)+1)])
		for range random.IntN(3) {
			line = append(line, between[random.IntN(len(between))])
		}
		cutAnything(t, append(line, end[random.IntN(len(end)+1):]...))
	}
}

func FuzzCut(f *testing.F) {
	for _, line := range forms() {
		f.Add(line)
	}
	f.Fuzz(cutAnything)
}
