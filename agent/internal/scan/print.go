package scan

import (
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/pialert/pialert/pkg/attack"
)

// printer turns events into JSON without making strings.
type printer struct {
	second int64  // the time that stamp holds, in seconds since 1970
	stamp  []byte // as RFC 3339, without fraction and zone
	zone   []byte
}

// time appends a time as RFC 3339. Most events share the second of the one before.
func (p *printer) time(b []byte, t time.Time) []byte {
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

// json appends an event as one line of JSON.
func (p *printer) json(b []byte, ev *attack.Event, line uint64) []byte {
	b = appendString(append(b, `{"file":`...), ev.Log)
	b = number(b, "line", line)
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
	b = detail(b, ev.Detail)
	return append(b, "}\n"...)
}

// detail appends what is particular to the kind, as an object of its own.
func detail(b []byte, d attack.Detail) []byte {
	if d == nil {
		return b
	}
	b = append(b, `,"detail":{`...)
	start := len(b)
	switch d := d.(type) {
	case attack.SSH:
		b = field(b, "method", d.Method)
		b = boolean(b, "invalid_user", d.InvalidUser)
		b = field(b, "reason", d.Reason)
	case attack.HTTP:
		b = field(b, "method", d.Method)
		b = field(b, "target", d.Target)
		b = number(b, "status", uint64(d.Status))
		b = field(b, "user_agent", d.UserAgent)
		b = field(b, "host", d.Host)
	case attack.Flood:
		b = field(b, "phase", [...]string{"", "start", "update", "end"}[d.Phase&3])
		b = field(b, "network", d.Network.String())
		b = field(b, "method", d.Method)
		b = number(b, "requests", d.Requests)
		b = field(b, "window", d.Window.String())
	case attack.BanInfo:
		b = field(b, "jail", d.Jail)
	case attack.Local:
		b = field(b, "service", d.Service)
		b = field(b, "target", d.Target)
		b = field(b, "tty", d.TTY)
	case attack.Service:
		b = field(b, "service", d.Name)
		b = field(b, "reason", d.Reason)
	}
	if len(b) > start { // without the first comma
		b = append(b[:start], b[start+1:]...)
	}
	return append(b, '}')
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
			} else {
				b = append(b, text[i:i+size]...)
				i += size - 1
			}
		}
		i++
	}
	return append(b, '"')
}
