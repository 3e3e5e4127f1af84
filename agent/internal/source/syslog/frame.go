package syslog

import (
	"bytes"

	"github.com/pialert/pialert/agent/internal/value"
)

// MaxFrame is the length in bytes of the longest message that is handed on whole.
const MaxFrame = 64 << 10

// maxPending is how many bytes a message of which the end has not come can take: the longest, and a count.
const maxPending = MaxFrame + 16

// framer finds the messages in what one connection brings. Its zero value is ready.
type framer struct {
	skip    uint64 // octets of a counted message to leave out
	discard bool   // the rest of a message that ends somewhere is to be left out
	lines   bool   // a message ended in a newline: a NUL is text then

	truncated uint64
}

// outlook says what is known of what comes behind the data.
type outlook uint8

const (
	more   outlook = iota // it is on its way, perhaps
	quiet                 // nothing has come for a while
	closed                // nothing comes any more
)

// next returns the first message in data and how many bytes of data are done with. Without a whole
// message, ok is false and what is left is to be given again, with more behind it; more than
// maxPending bytes never are. Where the connection is closed what stands there is a message.
func (f *framer) next(data []byte, last outlook) (message []byte, done int, ok bool) {
	for len(data) > done {
		rest := data[done:]
		switch {
		case f.skip > 0:
			n := min(f.skip, uint64(len(rest)))
			f.skip -= n
			done += int(n)
		case f.discard:
			end, length := f.end(rest, last)
			if length == 0 {
				return nil, done + end, false
			}
			f.discard = false
			done += end + length
		default:
			message, n, ok := f.message(rest, last)
			return message, done + n, ok
		}
	}
	return nil, done, false
}

// message reads a message at the start of data.
func (f *framer) message(data []byte, last outlook) (message []byte, done int, ok bool) {
	if header, octets, counted := count(data); counted {
		if octets > MaxFrame {
			if len(data) < header+MaxFrame && last != closed {
				return nil, 0, false
			}
			whole := data[header:min(len(data), header+MaxFrame)]
			f.truncated++
			f.skip = octets - uint64(len(whole))
			return whole, header + len(whole), true
		}
		if len(data) < header+int(octets) {
			if last != closed {
				return nil, 0, false
			}
			octets = uint64(len(data) - header)
		}
		return data[header : header+int(octets)], header + int(octets), true
	} else if octets == unfinished && last != closed {
		return nil, 0, false
	}
	end, length := f.end(data, last)
	text := bytes.TrimSuffix(data[:end], carriage)
	switch {
	case length > 0 && len(text) <= MaxFrame:
		return text, end + length, true
	case len(text) > MaxFrame:
		f.truncated++
		f.discard = true
		return data[:MaxFrame], MaxFrame, true
	case last == closed:
		return data, len(data), true
	}
	return nil, 0, false
}

var carriage = []byte("\r")

// unfinished is the count of octets of which more digits may come.
const unfinished = ^uint64(0)

// maxDigits bounds a count: nothing reads a message of ten megabytes.
const maxDigits = 7

// count reads "123 <", a count of octets before a message, and returns how long the count and its blank
// are. A message that begins with a number begins with no priority.
func count(data []byte) (header int, octets uint64, ok bool) {
	if len(data) == 0 || data[0] < '1' || data[0] > '9' {
		return 0, 0, false
	}
	n := 0
	for n < len(data) && n < maxDigits && value.Digit(data[n]) {
		octets = octets*10 + uint64(data[n]-'0')
		n++
	}
	switch {
	case n == len(data), n+1 == len(data) && data[n] == ' ':
		return 0, unfinished, false
	case data[n] != ' ' || data[n+1] != '<':
		return 0, 0, false
	}
	return n + 1, octets, true
}

// end returns where a message that ends somewhere ends, and how long its end is; without any, how far
// it was looked for, and 0.
//
// A NUL ends a message only if another one follows it, or nothing: those who end messages by NULs write
// nothing else behind one, and text may hold one.
func (f *framer) end(data []byte, last outlook) (end, length int) {
	newline := bytes.IndexByte(data, '\n')
	part := data
	if newline >= 0 {
		part = data[:newline]
	}
	for from := 0; !f.lines; {
		at := bytes.IndexByte(part[from:], 0)
		if at < 0 {
			break
		}
		at += from
		switch next := begins(data[at+1:]); {
		case next == yes, next == ended && last != more:
			return at, 1
		case next == ended, next == perhaps && last != closed:
			return at, 0 // what comes next will tell
		}
		from = at + 1
	}
	if newline < 0 {
		return len(data), 0
	}
	f.lines = true
	return newline, 1
}

// answer is whether data begins a message, as far as it goes.
type answer uint8

const (
	no answer = iota
	yes
	perhaps // a count of which more digits may come
	ended   // there is none
)

// begins says whether data looks like the beginning of a message: a priority, or a count before it.
func begins(data []byte) answer {
	_, octets, counted := count(data)
	switch {
	case len(data) == 0:
		return ended
	case counted, data[0] == '<':
		return yes
	case octets == unfinished:
		return perhaps
	}
	return no
}
