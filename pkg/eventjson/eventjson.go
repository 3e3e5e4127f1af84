// Package eventjson writes an event as one line of JSON.
//
// The fields are the same wherever a program prints events; what is empty is left out. Bytes that are
// no UTF-8 become "\xHH", as daemons escape them, and nothing that a terminal would act on, or that
// would turn the direction of text, stands in a line as it is.
package eventjson

import (
	"net/netip"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/escape"
)

// Where says where an event was seen; what is zero is left out.
type Where struct {
	Agent   string
	Arrived time.Time
	Line    uint64 // number of the line in its log
}

// Printer turns events into JSON without making strings. It is for one goroutine.
type Printer struct {
	second int64  // the time that stamp holds, in seconds since 1970
	stamp  []byte // as RFC 3339, without fraction and zone
	zone   []byte
}

// time appends a time as RFC 3339. Most events share the second of the one before.
func (p *Printer) time(b []byte, t time.Time) []byte {
	if sec := t.Unix(); sec != p.second || p.stamp == nil {
		p.second = sec
		p.stamp = t.AppendFormat(p.stamp[:0], "2006-01-02T15:04:05")
		p.zone = t.AppendFormat(p.zone[:0], "Z07:00")
	}
	b = append(b, p.stamp...)
	if nsec := t.Nanosecond(); nsec != 0 {
		b = t.AppendFormat(b, ".999999")
	}
	return append(b, p.zone...)
}

// Append appends an event as one line of JSON, with its line break.
func (p *Printer) Append(b []byte, ev *attack.Event, where Where) []byte {
	b = append(b, '{')
	if where.Agent != "" {
		b = append(appendString(append(b, `"agent":`...), where.Agent), ',')
	}
	if !where.Arrived.IsZero() {
		b = append(p.time(append(b, `"arrived":"`...), where.Arrived), `",`...)
	}
	b = appendString(append(b, `"file":`...), ev.Log)
	b = number(b, "line", where.Line)
	if !ev.Logged.IsZero() {
		b = append(b, `,"time":"`...)
		b = append(p.time(b, ev.Logged), '"')
	}
	b = field(b, "kind", ev.Kind.String())
	b = field(b, "rule", ev.Rule)
	if ev.SourceIP.IsValid() {
		b = append(b, `,"source_ip":"`...)
		b = append(ev.SourceIP.AppendTo(b), '"')
	}
	b = field(b, "source_host", ev.SourceHost)
	b = number(b, "source_port", uint64(ev.SourcePort))
	b = field(b, "user", ev.User)
	b = append(b, `,"count":`...)
	b = strconv.AppendUint(b, ev.Count, 10)
	b = field(b, "severity", ev.Severity.String())
	b = field(b, "host", ev.Host)
	b = detail(b, ev.Detail)
	return append(b, "}\n"...)
}

// AppendCorrection appends a person's correction of the total of a kind as one line of JSON.
func (p *Printer) AppendCorrection(b []byte, kind attack.Kind, where Where, by int64, reason string) []byte {
	b = appendString(append(b, `{"agent":`...), where.Agent)
	b = append(p.time(append(b, `,"arrived":"`...), where.Arrived), '"')
	b = field(b, "kind", kind.String())
	b = strconv.AppendInt(append(b, `,"corrected_by":`...), by, 10)
	return append(field(b, "reason", reason), "}\n"...)
}

// detail appends what is particular to the kind, as an object of its own.
func detail(b []byte, d attack.Detail) []byte {
	if d == nil {
		return b
	}
	b = append(b, `,"detail":{`...)
	w := members{b}
	attack.Encode(d, &w)
	if len(w.b) > len(b) { // without the first comma
		w.b = append(w.b[:len(b)], w.b[len(b)+1:]...)
	}
	return append(w.b, '}')
}

// members appends the fields of a detail; what is empty is left out.
type members struct{ b []byte }

func (m *members) Text(_ int, name string, value *string, _ int) { m.b = field(m.b, name, *value) }

func (m *members) Flag(_ int, name string, value *bool) { m.b = boolean(m.b, name, *value) }

func (m *members) Number(_ int, name string, value *uint64, _ uint64) {
	m.b = number(m.b, name, *value)
}

func (m *members) Phase(_ int, name string, value *attack.Phase) {
	m.b = field(m.b, name, value.String())
}

func (m *members) Network(_ int, name string, value *netip.Prefix, _ bool) {
	if value.IsValid() {
		m.b = field(m.b, name, value.String())
	}
}

func (m *members) Span(_ int, name string, value *time.Duration) {
	m.b = field(m.b, name, value.String())
}

func field(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(append(append(b, `,"`...), name...), `":`...)
	return appendString(b, value)
}

func number(b []byte, name string, value uint64) []byte {
	if value == 0 {
		return b
	}
	b = append(append(append(b, `,"`...), name...), `":`...)
	return strconv.AppendUint(b, value, 10)
}

func boolean(b []byte, name string, value bool) []byte {
	if !value {
		return b
	}
	return append(append(append(b, `,"`...), name...), `":true`...)
}

const hexDigits = "0123456789abcdef"

// appendString appends text as a JSON string. Bytes that are no UTF-8 become "\xHH", as daemons
// escape them, since JSON has no way to write them.
func appendString(b []byte, text string) []byte {
	b = append(b, '"')
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c >= ' ' && c < 0x7f:
			b = append(b, c)
		case c < 0x80:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			r, size := utf8.DecodeRuneInString(text[i:])
			if r == utf8.RuneError && size == 1 {
				b = append(b, '\\', '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
			} else if !strconv.IsPrint(r) {
				b = escape.AppendJSON(b, r)
				i += size - 1
			} else {
				b = append(b, text[i:i+size]...)
				i += size - 1
			}
		}
		i++
	}
	return append(b, '"')
}
