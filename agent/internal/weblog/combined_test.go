package weblog

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
)

// What is read at once of a line in the combined format is what the format itself says, also of lines in which bytes are
// others or missing; and all that ordinary visitors write is read so.
func TestCombined(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	one := func(texts ...string) string { return texts[random.IntN(len(texts))] }
	var r Reader
	read := 0
	const lines = 50_000
	for range lines {
		line := fmt.Appendf(nil, `%d.%s.%d.%d - - [20/Nov/2026:13:21:%02d +0000] "%s" %d %s "%s" "%s"`,
			random.IntN(256), one("0", "7", "10", "020", "203"), random.IntN(2), random.IntN(256), random.IntN(61),
			one("GET / HTTP/1.1", "POST /a?b=c HTTP/2.0", "GET /a b HTTP/1.0", `GET /\" HTTP/1.1`, "-", "", `\x16\x03`, "GET /"),
			100+random.IntN(500), one("-", "0", "512", "1234567"), one("-", "", "https://www.example.org/", `\"`), one("-", "curl/8", `a \"b\" \\`))
		if sameCombined(t, &r, line) {
			read++
		}
		for range 3 {
			switch at := random.IntN(len(line)); random.IntN(4) {
			case 0:
				line = line[:at+1]
			case 1:
				line[at] = "\x00 .-0\"\\][/:"[random.IntN(11)]
			case 2:
				line[at] = line[random.IntN(len(line))]
			default:
				line[at] = byte(random.IntN(256))
			}
			sameCombined(t, &r, line)
		}
	}
	if read != lines {
		t.Errorf("%d of %d lines were read at once", read, lines)
	}
}

func FuzzCombined(f *testing.F) {
	var r Reader // that remembers clients
	for _, line := range []string{
		`203.0.113.7 - - [20/Nov/2026:13:21:02 +0000] "GET / HTTP/1.1" 200 272 "-" "curl/7.88.1"`,
		"203.0.113.7\x00 - - [20/Nov/2026:13:21:02 +0000] \"GET / HTTP/1.1\" 200 272 \"-\" \"curl/7.88.1\"",
		"\x00 - - [20/Nov/2026:13:21:02 +0000] \"GET / HTTP/1.1\" 200 272 \"-\" \"curl/7.88.1\"",
		`7.1.2.9 - - [20/Nov/2026:13:21:02 +]00] "GET / HTTP/1.1" 200 - "http://r/" "\"\\"`,
		`203.0.113.207 - - [20/Nov/2026:13:21:02 +0000] "-" 408 12345678 "-" "-"`,
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) { sameCombined(t, &r, line) })
}

// sameCombined holds a line that is read at once against the format, and says whether it was.
func sameCombined(t *testing.T, r *Reader, line []byte) bool {
	t.Helper()
	var got, want Access
	if line = trimRight(line); !r.combined(line, &got) {
		return false
	}
	if !known[0].Parse(line, &want) {
		t.Fatalf("%q is not of the format", line)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%q:\n got %+v\nwant %+v", line, got, want)
	}
	return true
}
