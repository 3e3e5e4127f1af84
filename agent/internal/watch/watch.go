package watch

import (
	"context"
	"time"
)

// MaxLine is the length in bytes, newline included, of the longest line that is handed on. The longest
// that the supported daemons write is under 128 KiB: Apache's three fields of 8 KiB, each byte escaped.
const MaxLine = 2 << 20

// Chunk is a run of whole lines from one source and the position after them.
type Chunk struct {
	// Name is the configured name of the source.
	Name string
	// Source is the key to store Position under: a file's path, a pattern, or the journal's key.
	Source string
	// Data holds whole lines, each ending in '\n'. It is valid only during the call and may be empty:
	// then only the position is to be stored.
	Data []byte
	// Lines is the number of lines in Data.
	Lines int
	// Position is where reading goes on after Data: opaque text, to be stored as it is. Nil, with Forget,
	// when the source is gone for good and what is stored under its key is to be deleted.
	Position []byte
	Forget   bool
	// Backlog says that the lines were written while nobody looked: more of them wait to be read.
	Backlog bool
	// Observed is when the lines were read.
	Observed time.Time
}

// Emit takes a chunk and returns when it is done with it, which is what holds a fast source back. An
// error ends Run with that error.
type Emit func(context.Context, Chunk) error

// Restore returns what was last stored for a source, and whether there was anything.
type Restore func(source string) ([]byte, bool)

// Start says where a source that was never seen before begins.
type Start int

const (
	// End leaves out what a file holds when it is first seen at the start of Run. Files that appear
	// later are read from their start.
	End Start = iota
	// Beginning reads everything that is there.
	Beginning
)

// State is what a source is doing.
type State string

const (
	// Waiting: there is no such file yet, or no longer.
	Waiting State = "waiting"
	// CatchingUp: more lines are waiting than one look can read.
	CatchingUp State = "catching up"
	// Following: everything that was written has been handed on.
	Following State = "following"
	// Failing: see Error.
	Failing State = "failing"
	// Duplicate: another source reads the same file already.
	Duplicate State = "duplicate"
)

// SourceStats is what is known of one source since the start of this process.
type SourceStats struct {
	Name   string `json:"name"`
	Source string `json:"source"`
	State  State  `json:"state"`
	Lines  uint64 `json:"lines"`
	Bytes  uint64 `json:"bytes"`
	// Offset is the position in the newest file, in bytes; Cursor the one in the journal.
	Offset int64  `json:"offset"`
	Cursor string `json:"cursor,omitempty"`
	// LastLine is when a line was last read; zero if none was.
	LastLine time.Time `json:"last_line,omitzero"`
	// Overlong counts lines left out because they exceed MaxLine, Untrusted journal entries left out
	// because their sender may not speak under their name.
	Overlong  uint64 `json:"overlong,omitempty"`
	Untrusted uint64 `json:"untrusted,omitempty"`
	// Skipped counts the files of a pattern that are not followed because there are too many.
	Skipped int `json:"skipped,omitempty"`
	// Errors counts what went wrong; Error is what is wrong now.
	Errors uint64 `json:"errors,omitempty"`
	Error  string `json:"error,omitempty"`
}
