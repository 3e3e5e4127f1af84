package weblog

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// combined reads a line of the combined format as nearly all of them are, from an IPv4 address at which nobody logged
// in, and reports whether it is one. What it reads is what the format says of the line:
//
//	203.0.113.7 - - [20/Nov/2026:13:21:02 +0000] "GET / HTTP/1.1" 200 272 "-" "curl/7.88.1"
//	client     nobody                           asked            answered says
func (r *Reader) combined(line []byte, a *Access) bool {
	const nobody, stamp, asked, answered = " - - [", "02/Jan/2006:15:04:05 +0000", `] "`, `" 200 `
	client, length := r.clients.read(line)
	rest := line[length:]
	if length == 0 || len(rest) < len(nobody+stamp+asked) || string(rest[:len(nobody)]) != nobody {
		return false
	}
	rest = rest[len(nobody):]
	if bytes.IndexByte(rest, ']') != len(stamp) || !looksLikeStamp(rest[:len(stamp)]) || string(rest[len(stamp):len(stamp+asked)]) != asked {
		return false
	}
	*a = Access{}
	a.Client.Addr, a.Stamp = client, rest[:len(stamp)]
	rest = rest[len(stamp+asked):]
	end := closingQuote(rest)
	if end < 0 {
		return false
	}
	if request := rest[:end]; !isNone(request) {
		a.parseRequest(request)
	}
	rest = rest[end:]
	if len(rest) < len(answered)+8 || rest[1] != ' ' || !isStatus(rest[2:]) || rest[5] != ' ' {
		return false
	}
	a.Status = statusOf(rest[2:])
	rest = rest[len(answered):]
	size := bits.TrailingZeros64(spaces(binary.LittleEndian.Uint64(rest))) / 8 // 8, if it is longer
	return size > 0 && size < 8 && a.says(rest[size+1:])
}

// says reads what clients say of themselves at the end of such a line: "referer" "agent".
func (a *Access) says(text []byte) bool {
	const between = `" "`
	if len(text) == 0 || text[0] != '"' {
		return false
	}
	text = text[1:]
	end := closingQuote(text)
	if end < 0 || len(text)-end < len(between) || string(text[end:end+len(between)]) != between {
		return false
	}
	referer, agent := text[:end], text[end+len(between):]
	end = closingQuote(agent)
	if end < 0 || end != len(agent)-1 {
		return false
	}
	if !isNone(referer) {
		a.Referer = referer
	}
	if agent = agent[:end]; !isNone(agent) {
		a.Agent = agent
	}
	return true
}
