package header

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"sync/atomic"
)

// Export reads what `journalctl --output=export` writes, and gives a line of syslog for each entry, as
// [Unwrap] does. A field is "NAME=value" in a line of its own or, if its value is more than one line of
// text, the line "NAME", the value's length in eight bytes, the lowest first, the value, and a newline;
// an empty line ends an entry (https://systemd.io/JOURNAL_EXPORT_FORMATS/).
//
// Of a value that is too long only so much is kept that its line is known to be. An entry that has a
// field twice, which one of the journal's own daemons never writes, is left out: a reader could not
// tell which of both is meant.
type Export struct {
	in      *bufio.Reader
	trust   *Trust
	entry   Entry
	started map[string]bool // the fields that the entry has had, of those that are wanted
	twice   bool
	rest    []byte // of lines, not read yet
	lines   []byte
	err     error

	untrusted atomic.Uint64
}

var errNoExport = errors.New("this is no export of systemd's journal from here on")

// Bounds of what is kept.
const (
	maxExported = 1<<20 + 1 // bytes of a value
	maxName     = 64        // of a field, in bytes (sd_journal's own bound)
)

// IsExport says whether a text starts as an export does.
func IsExport(text []byte) bool {
	return bytes.HasPrefix(text, []byte("__CURSOR=")) || bytes.HasPrefix(text, []byte("__REALTIME_TIMESTAMP="))
}

// NewExport returns a reader of the lines of those who are to be believed.
func NewExport(in io.Reader, trust *Trust) *Export {
	return &Export{trust: trust, in: bufio.NewReaderSize(in, 64<<10), started: map[string]bool{}}
}

// Untrusted returns how many entries were left out so far because of who sent them. Any goroutine may call it.
func (x *Export) Untrusted() uint64 { return x.untrusted.Load() }

// Read gives the lines. It returns an error of the reader below behind the line of the last whole entry;
// an export that ends within an entry is cut short, and ends with [io.ErrUnexpectedEOF].
func (x *Export) Read(p []byte) (int, error) {
	for len(x.rest) == 0 {
		if x.err != nil {
			return 0, x.err
		}
		x.lines = x.lines[:0]
		x.err = x.field()
		x.rest = x.lines
	}
	n := copy(p, x.rest)
	x.rest = x.rest[n:]
	return n, nil
}

// field reads one field, or the end of an entry.
func (x *Export) field() error {
	head, err := x.head()
	switch {
	case err == io.EOF && len(head) == 0:
		x.end()
		return io.EOF
	case err == io.EOF:
		return io.ErrUnexpectedEOF
	case err != nil:
		return err
	case string(head) == "\n":
		x.end()
		return nil
	}
	to := x.wanted(string(head[:len(head)-1]))
	if head[len(head)-1] == '=' {
		return x.text(to)
	}
	return x.binary(to)
}

// head reads the name of a field and the byte behind it: "=" or a newline.
func (x *Export) head() (head []byte, err error) {
	for len(head) <= maxName {
		c, err := x.in.ReadByte()
		if err != nil {
			return head, err
		}
		if head = append(head, c); c == '=' || c == '\n' {
			return head, nil
		}
	}
	return head, errNoExport
}

// text reads a value up to the end of its line.
func (x *Export) text(to func([]byte)) error {
	var value []byte
	for {
		part, err := x.in.ReadSlice('\n')
		if to != nil && len(value) < maxExported {
			value = append(value, part...)
		}
		switch err {
		case nil:
			if to != nil {
				to(bytes.TrimSuffix(value, []byte("\n")))
			}
			return nil
		case bufio.ErrBufferFull:
		case io.EOF:
			return io.ErrUnexpectedEOF
		default:
			return err
		}
	}
}

// binary reads a value that says how long it is.
func (x *Export) binary(to func([]byte)) error {
	var size [8]byte
	if _, err := io.ReadFull(x.in, size[:]); err != nil {
		return io.ErrUnexpectedEOF
	}
	length := binary.LittleEndian.Uint64(size[:])
	if length >= 1<<62 {
		return errNoExport
	}
	kept := uint64(0)
	if to != nil {
		kept = min(length, maxExported)
	}
	var value bytes.Buffer
	if _, err := io.CopyN(&value, x.in, int64(kept)); err != nil {
		return io.ErrUnexpectedEOF
	}
	if _, err := io.CopyN(io.Discard, x.in, int64(length-kept)); err != nil {
		return io.ErrUnexpectedEOF
	}
	if c, err := x.in.ReadByte(); err != nil {
		return io.ErrUnexpectedEOF
	} else if c != '\n' {
		return errNoExport
	}
	if to != nil {
		to(value.Bytes())
	}
	return nil
}

// wanted returns what takes the value of a field, nil if nothing does.
func (x *Export) wanted(name string) func([]byte) {
	e := &x.entry
	var to *entryField
	switch name {
	case "__REALTIME_TIMESTAMP":
		x.started[name] = true
		return func(value []byte) { e.Time = string(value) }
	case "MESSAGE":
		to = &e.Message
	case "SYSLOG_IDENTIFIER":
		to = &e.Identifier
	case "_COMM":
		to = &e.Command
	case "_EXE":
		to = &e.Executable
	case "_PID":
		to = &e.PID
	case "_UID":
		to = &e.UID
	case "_HOSTNAME":
		to = &e.Host
	case "_TRANSPORT":
		to = &e.Transport
	case "_SYSTEMD_SLICE":
		to = &e.Slice
	case "THREAD":
		to = &e.Thread
	case "GROUP":
		to = &e.Group
	case "IKE_SA_UNIQUE_ID":
		to = &e.SA
	case "IKE_SA_NAME":
		to = &e.SAName
	default:
		return nil
	}
	x.twice = x.twice || x.started[name]
	x.started[name] = true
	return func(value []byte) { to.text = string(value) }
}

// end makes a line of the entry.
func (x *Export) end() {
	if x.started["MESSAGE"] && !x.twice {
		line, err := x.entry.AppendLine(x.lines, x.trust)
		switch {
		case err == nil:
			x.lines = append(line, '\n')
		case errors.Is(err, ErrUntrusted):
			x.untrusted.Add(1)
		}
	}
	x.entry, x.twice = Entry{}, false
	clear(x.started)
}
