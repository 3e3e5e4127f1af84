package scan

import (
	"bytes"
	"cmp"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pialert/pialert/pkg/attack"
)

// Look is how text is to look.
type Look struct {
	Width int  // columns that there are; 0 cuts nothing
	Color bool // use a terminal's sixteen colours
}

// style is a sequence that selects how a terminal writes (ECMA-48, Select Graphic Rendition).
type style string

// The styles. They can be read on black and on white.
const (
	plain  style = ""
	bold   style = "1"
	faint  style = "2"
	red    style = "31"
	green  style = "32"
	purple style = "35"
	blue   style = "34"
	alarm  style = "1;31"
)

// put appends text in a style.
func (l Look) put(b []byte, s style, text string) []byte {
	if !l.Color || s == plain || text == "" {
		return append(b, text...)
	}
	b = append(append(append(b, "\x1b["...), s...), 'm')
	return append(append(b, text...), "\x1b[0m"...)
}

// familyStyle is the colour of the lamp that shows a family, if it is not configured otherwise.
func familyStyle(f attack.Family) style {
	switch f {
	case attack.FamilySSH:
		return red
	case attack.FamilyWordPress:
		return blue
	}
	return green
}

// texter turns events into lines for people.
type texter struct {
	look   Look
	zone   *time.Location
	names  map[string]string // of the files that are scanned, as short as they differ; none of a single one
	second int64             // the time that stamp holds, in seconds since 1970
	stamp  []byte
	buffer []byte
}

// shortNames names files by as many of the last parts of their paths as it takes to tell them apart. One file alone
// needs no name.
func shortNames(files []string) map[string]string {
	if len(files) < 2 {
		return nil
	}
	names := map[string]string{}
	for _, file := range files {
		name := filepath.Base(file)
		for rest := filepath.Dir(file); len(name) < len(file) && slices.ContainsFunc(files, func(other string) bool {
			return other != file && (other == name || strings.HasSuffix(other, "/"+name))
		}); rest = filepath.Dir(rest) {
			name = filepath.Join(filepath.Base(rest), name)
		}
		names[file] = name
	}
	return names
}

// Widths of the columns of an event's line, in bytes.
const (
	kindWidth   = 15
	sourceWidth = 15
)

// event appends an event as a line that fits the width. What an attacker wrote is quoted where it could be taken for
// anything else.
func (t *texter) event(b []byte, ev *attack.Event, line uint64) []byte {
	row := t.buffer[:0]
	row = append(append(row, t.time(ev.Logged)...), "  "...)
	at := len(row)
	row = pad(append(row, ev.Kind.String()...), at, kindWidth)
	kindEnd := len(row)
	row = append(row, "  "...)
	at = len(row)
	row = pad(appendSource(row, ev), at, sourceWidth)
	row = particulars(row, ev)
	if ev.Count != 1 {
		row = append(row, " ×"...)
		row = strconv.AppendUint(row, ev.Count, 10)
	}
	end := len(row)
	row = append(append(row, "  "...), ev.Rule...)
	if t.names != nil {
		row = appendName(append(row, ", "...), cmp.Or(t.names[ev.Log], ev.Log))
	}
	if line > 0 {
		row = append(row, ", line "...)
		row = strconv.AppendUint(row, line, 10)
	}
	t.buffer = row
	room := t.look.Width
	if room <= 0 {
		room = len(row)
	}
	b, room = t.look.cut(b, plain, row[:stampWidth+2], room)
	b, room = t.look.cut(b, familyStyle(ev.Kind.Family()), row[stampWidth+2:kindEnd], room)
	b, room = t.look.cut(b, plain, row[kindEnd:end], room)
	b, _ = t.look.cut(b, faint, row[end:], room)
	return append(b, '\n')
}

// cut appends as much of text as there is room for, and returns what room is left.
func (l Look) cut(b []byte, s style, text []byte, room int) ([]byte, int) {
	if room <= 0 {
		return b, 0
	}
	return l.put(b, s, string(clip(text, room))), room - utf8.RuneCount(text)
}

// stampWidth is the width of an event's time.
const stampWidth = len("2006-01-02 15:04:05")

// time returns a time. Most events share the second of the one before.
func (t *texter) time(at time.Time) []byte {
	if at.IsZero() {
		return bytes.Repeat([]byte{' '}, stampWidth)
	}
	if sec := at.Unix(); sec != t.second || t.stamp == nil {
		t.second = sec
		t.stamp = at.In(t.zone).AppendFormat(t.stamp[:0], time.DateTime)
	}
	return t.stamp
}

// particulars appends who was tried, and at what.
func particulars(b []byte, ev *attack.Event) []byte {
	if ev.User != "" {
		b = appendName(append(b, "  "...), ev.User)
	}
	switch d := ev.Detail.(type) {
	case attack.HTTP:
		if d.Target != "" {
			b = append(b, "  "...)
			if d.Method != "" {
				b = append(appendName(b, d.Method), ' ')
			}
			b = appendName(b, d.Target)
		}
	case attack.SSH:
		if d.Reason != "" {
			b = strconv.AppendQuoteToASCII(append(b, "  "...), d.Reason)
		}
	case attack.Flood:
		b = append(b, "  of "...)
		b = strconv.AppendUint(b, d.Requests, 10)
		b = append(append(b, " requests by "...), d.Network.String()...)
	case attack.Service:
		if d.Name != "" {
			b = appendName(append(b, "  at "...), d.Name)
		}
	}
	return b
}

func appendSource(b []byte, ev *attack.Event) []byte {
	switch {
	case ev.SourceIP.IsValid():
		return ev.SourceIP.AppendTo(b)
	case ev.SourceHost != "":
		return appendName(b, ev.SourceHost)
	}
	return append(b, '-')
}

// appendName appends a name, quoted unless it is plain.
func appendName(b []byte, name string) []byte {
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '(' {
			return strconv.AppendQuoteToASCII(b, name)
		}
	}
	return append(b, name...)
}

// pad fills up with spaces what was written from start on.
func pad(b []byte, start, width int) []byte {
	for len(b)-start < width {
		b = append(b, ' ')
	}
	return b
}

// clip cuts a row after a number of runes, and marks that. A width of 0 cuts nothing.
func clip(row []byte, width int) []byte {
	if width <= 0 || utf8.RuneCount(row) <= width {
		return row
	}
	n := 0
	for i := 0; i < len(row); n++ {
		if n == width-1 {
			return append(row[:i:i], "…"...)
		}
		_, size := utf8.DecodeRune(row[i:])
		i += size
	}
	return row
}
