package weblog

import "strings"

// The formats that Debian's apache2.conf defines, in Apache's own notation (mod_log_config).
// nginx's combined is Apache's.
const (
	Common        = `%h %l %u %t \"%r\" %>s %O`
	Combined      = `%h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\"`
	VHostCombined = `%v:%p %h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\"`
)

// Format is a compiled LogFormat. It is immutable.
type Format struct {
	tokens []token
	steps  []step // the same, for reading forwards
	text   string
}

// token is a literal, or a directive.
type token struct {
	literal string // if not empty, this is what it is
	shape   shape
	field   field
	last    bool   // a free one at the end of the format
	after   string // of a word: the text right behind it, up to a space
	before  string // of a word: the text right before it, from a space on
	anchor  int    // of a free one: the token with the quotes up to which to read inwards
}

// step is a literal, which may be empty, and the field behind it.
type step struct {
	literal    string
	word, mask uint64 // its bytes, the first one lowest, where there are at most eight
	token      *token // nil at the end
}

// shape says what a directive's text can look like, and so where it ends.
type shape uint8

const (
	word   shape = iota // characters other than spaces
	stamp               // a time, up to the bracket that follows
	number              // digits, or -
	quoted              // anything in quotes that Apache set escapes in
	free                // anything
)

// field says what becomes of a directive's text.
type field uint8

const (
	ignored field = iota
	client        // address or name
	forwarded
	clientPort
	vhost
	user
	when
	request
	method
	target
	query
	protocol
	status
	referer
	agent
)

// String returns the LogFormat string.
func (f *Format) String() string { return f.text }

// Parse reads a line. It reports false, and leaves a in an undefined state, if the line does not
// have this format.
func (f *Format) Parse(line []byte, a *Access) bool {
	line = trimRight(line)
	return f.forwards(line, a) || f.inwards(line, a)
}

// inwards reads a line with a field that can hold anything. Those behind it, up to the next
// quotes or the end of the line, are read from behind, and that field is what is left over.
func (f *Format) inwards(line []byte, a *Access) bool {
	*a = Access{}
	at := 0
	for i := 0; i < len(f.tokens); i++ {
		t := &f.tokens[i]
		if t.shape != free || t.literal != "" {
			size, ok := t.take(line[at:])
			if !ok || t.literal == "" && !a.set(t.field, line[at:at+size]) {
				return false
			}
			at += size
			continue
		}
		end := len(line)
		if t.anchor < len(f.tokens) {
			end = unescapedQuote(line, at) - strings.IndexByte(f.tokens[t.anchor].literal, '"')
		}
		if end < at {
			return false
		}
		stop := end
		for j := t.anchor - 1; j > i; j-- {
			t := &f.tokens[j]
			start, ok := t.takeBack(line[at:stop])
			if !ok || t.literal == "" && !a.set(t.field, line[at+start:stop]) {
				return false
			}
			stop = at + start
		}
		if !a.set(t.field, line[at:stop]) {
			return false
		}
		i, at = t.anchor-1, end
	}
	return at == len(line)
}

// trimRight cuts off the end of a line and spaces before it.
func trimRight(line []byte) []byte {
	for len(line) > 0 {
		switch line[len(line)-1] {
		case ' ', '\t', '\r', '\n':
			line = line[:len(line)-1]
		default:
			return line
		}
	}
	return line
}
