// Package source says what a source of log lines is: whatever hands on whole lines, and where reading
// them goes on if it can be gone back to. Files across rotation (room file), systemd's journal (room
// journal) and messages of syslog, which can be read only once (room syslog), are sources.
//
// What every source promises: a [Chunk] holds whole lines of one log, in their order, and a position
// after them if there is one. The caller stores that position together with whatever it made of the
// lines, in one atomic step, and hands it back through [Restore] at the next start; then no line is lost
// or seen twice. A source without positions has lost what it handed on and was not stored.
//
// Who wrote a line is decided here, where the system still tells ([Sender]): what may not stand under the
// name that it gives itself is left out and counted, see [Trust].
package source

import (
	"context"
	"errors"
	"time"
)

// MaxLine is the length in bytes, newline included, of the longest line that is handed on. The longest
// that the supported daemons write is under 128 KiB: Apache's three fields of 8 KiB, each byte escaped.
const MaxLine = 2 << 20

// Source hands on the lines of one log or of many. Its constructor starts nothing.
type Source interface {
	// Run hands on lines until ctx ends, which returns nil, or until emit fails, which returns its error.
	// An error wrapping [ErrUnavailable] says that this machine has no such source.
	Run(ctx context.Context, emit Emit) error
	// Stats returns what is known of each log. It may be called from any goroutine, as may Behind.
	Stats() []Stats
	// Behind reports whether lines of a log of this source, by its key, were written before now and not
	// handed on yet, as far as is known. Until the source has looked, it may be so for any log.
	Behind(log string) bool
}

// ErrUnavailable says that a source does not exist on this machine; others may be read nevertheless.
var ErrUnavailable = errors.New("this machine has no such source")

// ErrAgain is the cause of a context's end where Run is called again with another one. A source that can
// be read only once keeps its sockets open until then.
var ErrAgain = errors.New("the configuration is read again")

// Chunk is a run of whole lines from one log and the position after them.
type Chunk struct {
	// Name is the configured name of the source.
	Name string
	// Source is the key to store Position under: a file's path, a pattern, or the journal's key.
	Source string
	// Data holds whole lines, each ending in '\n'. It is valid only during the call and may be empty:
	// then only the position is to be stored.
	Data []byte
	// Position is where reading goes on after Data: opaque text, to be stored as it is; nil if lines of
	// this source can be read only once.
	Position []byte
	// Forget says that the log is gone for good: what is stored under its key is to be deleted.
	Forget bool
	// Observed is when the lines were read.
	Observed time.Time
	// Once says that the lines cannot be read again: what is found in them does not wait to be stored.
	Once bool
	// Committed, unless nil, is called when the chunk is stored, or with an error if it never will be. It
	// must not wait for anything.
	Committed func(error)
}

// Emit takes a chunk and returns when it is done with it, which is what holds a fast source back. An
// error ends Run with that error.
type Emit func(context.Context, Chunk) error

// Restore returns what was last stored for a source, and whether there was anything.
type Restore func(source string) ([]byte, bool)

// Start says where a log that was never seen before begins.
type Start int

const (
	// End leaves out what a log holds when it is first seen at the start of Run. Files that appear
	// later are read from their start.
	End Start = iota
	// Beginning reads everything that is there.
	Beginning
)

// State is what a source does with one log.
type State string

const (
	// Waiting: there is no such file yet, or no longer.
	Waiting State = "waiting"
	// CatchingUp: more lines are waiting than one look can read.
	CatchingUp State = "catching up"
	// Following: everything that was written has been handed on.
	Following State = "following"
	// Listening: whatever is sent is read.
	Listening State = "listening"
	// Failing: see Error.
	Failing State = "failing"
	// Duplicate: another source reads the same file already.
	Duplicate State = "duplicate"
)

// Backlog is what a log has still to be read of the files that were rotated while nobody looked.
type Backlog struct {
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"` // as they are on the disk, compressed or not
	// Reached is when the file that is read next was last written to.
	Reached time.Time `json:"reached,omitzero"`
}

// Stats is what is known of one log since the start of this process.
type Stats struct {
	Name   string `json:"name"`
	Source string `json:"source"`
	State  State  `json:"state"`
	Lines  uint64 `json:"lines"`
	Bytes  uint64 `json:"bytes"`
	// Offset is the position in the newest file, in bytes; Cursor the one in the journal.
	Offset int64  `json:"offset"`
	Cursor string `json:"cursor,omitempty"`
	// Backlog is what is still to be read of the past; nil once it has been.
	Backlog *Backlog `json:"backlog,omitempty"`
	// LastLine is when a line was last read; zero if none was.
	LastLine time.Time `json:"last_line,omitzero"`
	// Overlong counts lines left out because they exceed MaxLine, Untrusted journal entries left out
	// because their sender may not speak under their name.
	Overlong  uint64 `json:"overlong,omitempty"`
	Untrusted uint64 `json:"untrusted,omitempty"`
	// Skipped counts the files of a pattern that are not followed because there are too many.
	Skipped int `json:"skipped,omitempty"`
	// Network is what is known of a listener; nil of any other source.
	Network *Network `json:"network,omitempty"`
	// Errors counts what went wrong; Error is what is wrong now.
	Errors uint64 `json:"errors,omitempty"`
	Error  string `json:"error,omitempty"`
}

// Network is what a listener knows of those who send to it, since the start of this process.
type Network struct {
	Senders     int    `json:"senders"`     // whose addresses are remembered, see package syslog
	Connections int    `json:"connections"` // open now
	Refused     uint64 `json:"refused"`     // datagrams and connections of whom may not send
	RefusedLast string `json:"refused_last,omitempty"`
	// Unparsed counts messages without any header, which are handed on as bare text, Truncated those that
	// were longer than the longest, of which the rest was left out, Empty those without any text.
	Unparsed  uint64 `json:"unparsed"`
	Truncated uint64 `json:"truncated"`
	Empty     uint64 `json:"empty"`
	// Dropped counts datagrams that the kernel threw away since its buffer was full; Buffer is that
	// buffer's size in bytes, Wanted the size that was asked for.
	Dropped uint64 `json:"dropped"`
	Buffer  int    `json:"buffer,omitempty"`
	Wanted  int    `json:"buffer_wanted,omitempty"`
	// Killed says that the agent was killed before this start, while it listened: what was on its way may be
	// lost. Interrupted counts the connections that are known to have been open then.
	Killed      bool   `json:"killed"`
	Interrupted uint64 `json:"interrupted"`
}
