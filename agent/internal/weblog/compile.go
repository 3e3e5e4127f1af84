package weblog

import (
	"fmt"
	"strings"
)

// CompileFormat compiles a LogFormat string as it stands in Apache's configuration between the
// outer quotes, such as
//
//	%t [%v:%p] [client %h] \"%r\" %>s %b \"%{User-Agent}i\"
//
// The client is %a or %h, the left one if both are there. Only a format with neither takes the
// last address of X-Forwarded-For, the one that the nearest proxy wrote. A field in which clients
// can write spaces has to stand in quotes, or be the only such field, or be followed by quotes
// before the next one. The error names the field where that is not so.
func CompileFormat(logFormat string) (*Format, error) {
	f := &Format{text: logFormat}
	rest := strings.TrimRight(logFormat, " \t\n")
	for rest != "" {
		var err error
		switch {
		case rest[0] == '%' && !strings.HasPrefix(rest, "%%"):
			rest, err = f.directive(rest)
		case rest[0] == '%':
			f.literal("%")
			rest = rest[2:]
		case rest[0] == '\\' && len(rest) > 1:
			f.literal(unescaped(rest[1]))
			rest = rest[2:]
		default:
			f.literal(rest[:1])
			rest = rest[1:]
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read log format %q: %w", logFormat, err)
		}
	}
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("cannot read log format %q: %w", logFormat, err)
	}
	f.steps = stepsOf(f.tokens)
	return f, nil
}

func unescaped(c byte) string {
	switch c {
	case 'n':
		return "\n"
	case 't':
		return "\t"
	}
	return string(c)
}

// literal adds text that stands in every line.
func (f *Format) literal(text string) {
	if last := len(f.tokens) - 1; last >= 0 && f.tokens[last].literal != "" {
		f.tokens[last].literal += text
		return
	}
	f.tokens = append(f.tokens, token{literal: text})
}

// directive adds the %-directive that rest starts with, and returns what follows it. Its syntax is
// % conditions {argument} letter, where conditions are status codes and < or >.
func (f *Format) directive(rest string) (string, error) {
	i := 1
	for i < len(rest) && strings.IndexByte("!,<>0123456789", rest[i]) >= 0 {
		i++
	}
	argument := ""
	if i < len(rest) && rest[i] == '{' {
		end := strings.IndexByte(rest[i:], '}')
		if end < 0 {
			return "", fmt.Errorf("the brace of %q is never closed", rest)
		}
		argument = rest[i+1 : i+end]
		i += end + 1
	}
	length := 1
	if strings.HasPrefix(rest[min(i, len(rest)):], "^t") { // trailers: %{VARNAME}^ti
		length = 3
	}
	if i+length > len(rest) {
		return "", fmt.Errorf("the directive %q has no letter", rest)
	}
	d, known := describe(rest[i:i+length], argument)
	if !known {
		return "", fmt.Errorf("mod_log_config has no directive %q", rest[:i+length])
	}
	if d.literal == "[" { // %t brings its own brackets
		f.literal("[")
		f.tokens = append(f.tokens, token{shape: stamp, field: when})
		f.literal("]")
		return rest[i+length:], nil
	}
	if last := len(f.tokens) - 1; d.field == query && last >= 0 && f.tokens[last].field == target {
		return rest[i+length:], nil // %U%q: the target takes both
	}
	f.tokens = append(f.tokens, d)
	return rest[i+length:], nil
}

// describe says what a directive writes.
func describe(letter, argument string) (t token, known bool) {
	switch letter {
	case "a":
		if argument == "c" { // the peer of the connection, which may be a proxy
			return token{shape: word}, true
		}
		return token{shape: word, field: client}, true
	case "h":
		return token{shape: word, field: client}, true
	case "A", "k", "L", "P", "R", "X", "I", "O", "S", "D", "T", "B", "b", "l":
		return token{shape: word}, true
	case "H":
		return token{shape: word, field: protocol}, true
	case "p":
		if argument == "remote" {
			return token{shape: number, field: clientPort}, true
		}
		return token{shape: number}, true
	case "v", "V":
		return token{shape: word, field: vhost}, true
	case "s":
		return token{shape: number, field: status}, true
	case "m":
		return token{shape: word, field: method}, true
	case "t":
		if argument == "" {
			return token{literal: "["}, true
		}
		return token{shape: free}, true
	case "u":
		return token{shape: free, field: user}, true
	case "r":
		return token{shape: free, field: request}, true
	case "U":
		return token{shape: free, field: target}, true
	case "q":
		return token{shape: free, field: query}, true
	case "f", "e", "n", "o", "C", "x", "c", "^ti", "^to":
		return token{shape: free}, true
	case "i":
		switch strings.ToLower(argument) {
		case "user-agent":
			return token{shape: free, field: agent}, true
		case "referer":
			return token{shape: free, field: referer}, true
		case "x-forwarded-for":
			return token{shape: free, field: forwarded}, true
		case "host":
			return token{shape: free, field: vhost}, true
		}
		return token{shape: free}, true
	}
	return token{}, false
}

// check finds the quoted fields, chooses who the client is, and refuses formats whose lines can
// be read in several ways.
func (f *Format) check() error {
	clients, lastFree := 0, -1
	f.preferForwarded()
	for i := range f.tokens {
		t := &f.tokens[i]
		if t.literal != "" {
			if strings.Contains(t.literal, `"`) {
				lastFree = -1
			}
			continue
		}
		before, after := f.literalAt(i-1), f.literalAt(i+1)
		if i+1 < len(f.tokens) && after == "" {
			return fmt.Errorf("nothing stands between two fields; separate them")
		}
		if strings.HasSuffix(before, `"`) && strings.HasPrefix(after, `"`) {
			t.shape = quoted
		}
		t.after, _, _ = strings.Cut(after, " ")
		t.before = before[strings.LastIndexByte(before, ' ')+1:]
		if t.field == client {
			if clients++; clients > 1 {
				t.field = ignored
			}
		}
		if t.shape != free {
			continue
		}
		if lastFree >= 0 {
			return fmt.Errorf("two fields that can hold spaces follow each other; put the second one in quotes (\\\")")
		}
		lastFree = i
		t.last = i == len(f.tokens)-1
	}
	for i := range f.tokens {
		if f.tokens[i].field == forwarded {
			if clients > 0 {
				f.tokens[i].field = ignored
			}
			clients++
		}
	}
	f.setAnchors()
	if clients == 0 {
		return fmt.Errorf("it has no client address; add %%h or %%a")
	}
	return nil
}

// setAnchors finds for each free field the next quotes, if there is another free field behind
// them; otherwise the end of the line is more certain.
func (f *Format) setAnchors() {
	another, quotes := false, len(f.tokens)
	for i := len(f.tokens) - 1; i >= 0; i-- {
		t := &f.tokens[i]
		switch {
		case strings.Contains(t.literal, `"`):
			quotes = i
		case t.literal == "" && t.shape == free:
			t.anchor = len(f.tokens)
			if another {
				t.anchor = quotes
			}
			another = true
		}
	}
}

// preferForwarded makes room for a list of addresses that stands without quotes before %u, as
// sites behind a proxy have it. Such a list is what clients wrote, so only its end is certain, and
// that can only be found if the user names have no spaces. Lines in which they have are refused.
func (f *Format) preferForwarded() {
	list := -1
	for i := range f.tokens {
		t := &f.tokens[i]
		switch {
		case strings.Contains(t.literal, `"`):
			list = -1
		case t.field == forwarded:
			list = i
		case t.field == user && list >= 0:
			t.shape = word
		}
	}
}

func (f *Format) literalAt(i int) string {
	if i < 0 || i >= len(f.tokens) {
		return ""
	}
	return f.tokens[i].literal
}
