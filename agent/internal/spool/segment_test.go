package spool

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"
)

// A commit that was under way when the machine stopped is no damage; whatever else stands behind the last frame is.
func TestWhatLooksLikeATornCommit(t *testing.T) {
	t.Parallel()
	const salt = 0x1122334455667788
	header := func(salt uint64, length uint32) []byte {
		head := binary.LittleEndian.AppendUint64(nil, salt)
		return append(binary.LittleEndian.AppendUint32(head, length), 1, 2, 3, 4)
	}
	payload := func(head []byte, bytes int) []byte { return append(head, make([]byte, bytes)...) }
	for name, test := range map[string]struct {
		rest []byte
		want bool
	}{
		"nothing":                             {nil, true},
		"blocks that were not written":        {make([]byte, 4096), true},
		"a part of a mark":                    {header(salt, 9)[:3], true},
		"a part of a header":                  {header(salt, 9)[:headerBytes-1], true},
		"a header":                            {header(salt, 9), true},
		"a payload but for its last byte":     {payload(header(salt, 9), 8), true},
		"the beginning of the longest frame":  {payload(header(salt, maxFrame), 8), true},
		"something else than a mark":          {[]byte("abc"), false},
		"a part of another mark":              {header(salt+1, 9)[:headerBytes-1], false},
		"a header with another mark":          {header(salt+1, 9), false},
		"a header of what is no frame":        {header(salt, maxFrame+1), false},
		"a payload that is there, and wrong":  {payload(header(salt, 9), 9), false},
		"the beginning of what is no frame":   {payload(header(salt, maxFrame+1), 8), false},
		"another mark with a length too long": {payload(header(salt+1, maxFrame+1), 8), false},
	} {
		if got := torn(test.rest, salt); got != test.want {
			t.Errorf("%s: torn is %t", name, got)
		}
	}
}

func TestSegmentNames(t *testing.T) {
	t.Parallel()
	const name = "00000000000000ab-0123456789abcdef.seg"
	if ordinal, salt, ok := parseSegmentName(name); ordinal != 0xab || salt != 0x123456789abcdef || !ok {
		t.Errorf("%s is segment %x with the salt %x, %t", name, ordinal, salt, ok)
	}
	if got := segmentPath("", 0xab, 0x123456789abcdef); got != name {
		t.Errorf("the name is %s, want %s", got, name)
	}
	for _, other := range []string{"", "lock", name + "x", name[:len(name)-1], name[1:], name[:len(name)-4] + ".tmp", "a" + name[2:], "damaged-" + name} {
		if _, _, ok := parseSegmentName(other); ok {
			t.Errorf("%s is taken for a segment", other)
		}
	}
}

// Marks stand 16 KiB apart or a frame more; frames without events move the end and the age alone.
func TestMarksOfASegment(t *testing.T) {
	t.Parallel()
	g := new(segment)
	frame := func(first uint64, count int, attempts uint64, age time.Duration) *frame {
		return &frame{first: first, count: count, attempts: attempts, ledger: ledger{age: age}}
	}
	g.note(frame(5, 2, 10, 3), 0, markSpacing-1)
	g.note(frame(7, 1, 20, 4), markSpacing-1, 1)
	g.note(frame(8, 1, 30, 5), markSpacing, 100)
	g.note(frame(9, 0, 0, 6), markSpacing+100, 50)
	const want = "5 to 9, 60 attempts, 16534 bytes, ages 3 to 6, marks [{5 0} {8 16384}]"
	got := fmt.Sprintf("%d to %d, %d attempts, %d bytes, ages %d to %d, marks %v", g.first, g.next, g.attempts, g.size, g.born, g.last, g.marks)
	if got != want {
		t.Errorf("a segment of\n%s, want\n%s", got, want)
	}
}

// A file that was set aside is the spool's end if no segment that can be read is as new.
func TestWhatWasSetAsideAfterAllSegments(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct{ alone, besideFive bool }{
		"damaged-20261120T120000Z-0000000000000006-00000000000000ab.seg": {true, true},
		"damaged-20261120T120000Z-0000000000000005-00000000000000ab.seg": {true, false},
		"damaged-20261120T120000Z-0000000000000004-00000000000000ab.seg": {true, false},
		"before-20261120T120000Z-0000000000000006-00000000000000ab.seg":  {false, false},
		"0000000000000006-00000000000000ab.seg":                          {false, false},
		"damaged-by-lightning":                                           {false, false},
		"damaged":                                                        {false, false},
	} {
		names := []string{"lock", name}
		alone, beside := asideAfter(names, nil), asideAfter(names, []*segment{{ordinal: 4}, {ordinal: 5}})
		if alone != want.alone || beside != want.besideFive {
			t.Errorf("%s is the end of a spool without segments: %t, with a fifth one: %t", name, alone, beside)
		}
	}
}
