package syslog

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/pialert/pialert/agent/internal/header"
	"github.com/pialert/pialert/agent/internal/value"
)

// maxHost bounds a host's name (RFC 1035 section 2.3.4), maxTag a program's (RFC 5424 section 6.2.5).
const (
	maxHost = 255
	maxTag  = 48
)

// writer makes lines of messages.
type writer struct {
	byHeader bool // the message names its machine

	second int64 // the time that stamp holds
	stamp  []byte
}

// append adds the line of a message, without its newline if it has none of its own. Parsed is false if
// the message has no header; a message without text adds nothing.
func (w *writer) append(b, message, sender []byte, now time.Time) (line []byte, parsed bool) {
	message = bytes.TrimRight(message, "\r\n\x00")
	f, parsed := header.CutFrame(message)
	if len(f.Text) == 0 && len(f.Tag) == 0 {
		return b, parsed
	}
	if f.Stamp.Form != header.None {
		b = append(b, f.Stamp.Text...)
	} else {
		b = w.now(b, now)
	}
	b = append(append(b, ' '), sender...)
	if w.byHeader && len(f.Host) > 0 {
		b = appendWord(append(b, '/'), f.Host, maxHost, ".:-_")
	}
	b = append(b, ' ')
	if len(f.Tag) > 0 {
		b = appendWord(b, f.Tag, maxTag, ".:-_/%+@()")
		if f.PID != 0 {
			b = append(strconv.AppendUint(append(b, '['), uint64(f.PID), 10), ']')
		}
		b = append(b, ": "...)
	} else if header.Nested(f.Text) || len(f.Text) > 1 && f.Text[0] == '[' && value.Digit(f.Text[1]) {
		b = append(b, "syslog: "...) // or the text would pass for a header, or the sender for a tag
	}
	for {
		before, after, found := bytes.Cut(f.Text, newline)
		if b = append(b, before...); !found {
			return append(b, '\n'), parsed
		}
		b = append(b, "#012"...)
		f.Text = after
	}
}

var newline = []byte("\n")

// now appends the time of receipt. Most messages share the second of the one before.
func (w *writer) now(b []byte, now time.Time) []byte {
	if second := now.Unix(); second != w.second || w.stamp == nil {
		w.second, w.stamp = second, now.UTC().AppendFormat(w.stamp[:0], "2006-01-02T15:04:05Z")
	}
	return append(b, w.stamp...)
}

// appendWord appends what ends where it should, of at most so many bytes: letters, digits and what else
// stands in names.
func appendWord(b, word []byte, most int, others string) []byte {
	for _, c := range word[:min(len(word), most)] {
		if !value.Digit(c) && (c|0x20 < 'a' || c|0x20 > 'z') && strings.IndexByte(others, c) < 0 {
			c = '_'
		}
		b = append(b, c)
	}
	if b[len(b)-1] == ':' {
		b[len(b)-1] = '_' // or it would end a tag
	}
	return b
}
