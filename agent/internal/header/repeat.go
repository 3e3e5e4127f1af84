package header

import (
	"bytes"

	"github.com/pialert/pialert/agent/internal/value"
)

// MaxRepeats bounds how many occurrences one line may stand for.
const MaxRepeats = 1 << 20

// Repeated reads rsyslog's "message repeated N times: [ inner ]", which stands for N further
// occurrences of the inner message (RepeatedMsgReduction).
func Repeated(body []byte) (inner []byte, n uint64, ok bool) {
	rest, ok := bytes.CutPrefix(body, []byte("message repeated "))
	if !ok {
		return nil, 0, false
	}
	n, rest, ok = cutTimes(rest)
	if !ok {
		return nil, 0, false
	}
	rest, opened := bytes.CutPrefix(rest, []byte(": ["))
	rest, closed := bytes.CutSuffix(rest, []byte("]"))
	return bytes.TrimLeft(TrimEnd(rest), " "), n, opened && closed
}

// LastRepeated reads the older "last message repeated N times", which stands for N further
// occurrences of the line before it.
func LastRepeated(body []byte) (n uint64, ok bool) {
	rest, ok := bytes.CutPrefix(body, lastMessage)
	if !ok {
		return 0, false
	}
	n, rest, ok = cutTimes(rest)
	return n, ok && len(rest) == 0
}

func cutTimes(text []byte) (n uint64, rest []byte, ok bool) {
	space := bytes.IndexByte(text, ' ')
	if space < 0 {
		return 0, nil, false
	}
	n, ok = value.Uint(text[:space])
	rest = text[space+1:]
	if after, plural := bytes.CutPrefix(rest, []byte("times")); plural {
		return min(n, MaxRepeats), after, ok && n > 0
	}
	after, singular := bytes.CutPrefix(rest, []byte("time"))
	return min(n, MaxRepeats), after, ok && singular && n > 0
}
