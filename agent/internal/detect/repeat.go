package detect

import "bytes"

// repeated reads rsyslog's "message repeated N times: [ inner ]", which stands for N further
// occurrences of the inner message (RepeatedMsgReduction).
func repeated(body []byte) (inner []byte, n uint64, ok bool) {
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
	return bytes.TrimLeft(trimEnd(rest), " "), n, opened && closed
}

// lastRepeated reads the older "last message repeated N times", which stands for N further
// occurrences of the line before it.
func lastRepeated(body []byte) (n uint64, ok bool) {
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
	n, ok = parseUint(text[:space])
	rest = text[space+1:]
	if after, plural := bytes.CutPrefix(rest, []byte("times")); plural {
		return min(n, maxRepeats), after, ok && n > 0
	}
	after, singular := bytes.CutPrefix(rest, []byte("time"))
	return min(n, maxRepeats), after, ok && singular && n > 0
}

// repeatLast feeds the last line of the host again, n times over.
func (e *Engine) repeatLast(src *Source, n uint64) {
	line := src.mem.last(e.hostHash(src))
	if line == nil {
		return
	}
	stamp := e.msg.stamp
	line = append([]byte(nil), line...)
	if !e.msg.cut(line) {
		e.msg = message{tag: sshdTag, body: trimEnd(line)}
	}
	e.msg.stamp = stamp
	if _, again := lastRepeated(e.msg.body); !again {
		e.feedMessage(src, line, n)
	}
}
