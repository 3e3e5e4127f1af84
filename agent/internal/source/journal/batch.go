package journal

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/pialert/pialert/agent/internal/header"
	"github.com/pialert/pialert/agent/internal/source"
)

// quietAfter is how long journalctl is silent after it has written what there was.
const quietAfter = 2 * time.Second

// journalPosition is where reading goes on: after the entry with the cursor, or at the journal's
// beginning if there was none.
type journalPosition struct {
	Cursor string `json:"cursor"`
}

const (
	// maxEntry bounds one entry as JSON: nine fields of 4096 bytes at most, up to four characters each.
	maxEntry = 256 << 10
	// maxBatch is how many bytes of lines are handed on at once.
	maxBatch = 64 << 10
)

// batch is a run of entries.
type batch struct {
	lines     []byte
	count     int
	cursor    string
	newest    time.Time // when the last entry was received
	overlong  uint64
	untrusted uint64
	broken    uint64
}

// read takes entries from journalctl's output and hands them on in batches: as soon as no more are
// waiting, or maxBatch is reached.
func (j *Journal) read(out io.Reader, convert func(*header.Entry, *batch), hand func(*batch) error) error {
	reader := bufio.NewReaderSize(out, maxEntry)
	var b batch
	skipping := false
	for {
		line, err := reader.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			if !skipping {
				b.overlong++
			}
			skipping = true
			continue
		case errors.Is(err, io.EOF):
			return nil // a half entry comes again with the next start
		case err != nil:
			return fmt.Errorf("cannot read the journal: %w", err)
		case skipping:
			skipping = false
		default:
			var e header.Entry
			if err := json.Unmarshal(line, &e); err != nil || e.Cursor == "" {
				b.broken++
				break
			}
			if microseconds, err := strconv.ParseInt(e.Time, 10, 64); err == nil {
				b.newest = time.UnixMicro(microseconds)
			}
			if b.cursor = e.Cursor; convert != nil {
				convert(&e, &b)
			}
		}
		if len(b.lines) < maxBatch && hasLine(reader) {
			continue
		}
		if b.cursor != "" {
			if err := hand(&b); err != nil {
				return err
			}
			b = batch{lines: b.lines[:0]}
		}
	}
}

// convert adds an entry's line to the batch, or counts why it has none.
func (j *Journal) convert(e *header.Entry, b *batch) {
	line, err := e.AppendLine(b.lines, &j.options.Trust)
	switch {
	case errors.Is(err, header.ErrUntrusted):
		b.untrusted++
		j.options.Logger.Debug("left out a journal entry", "source", j.key, "error", err, "sender", e.String())
	case errors.Is(err, header.ErrOmitted):
		b.overlong++
	case err != nil:
		b.broken++
	default:
		b.lines = append(line, '\n')
		b.count++
	}
}

// hand gives a batch to emit. Entries that became no line move the position too.
func (j *Journal) hand(ctx context.Context, b *batch, emit source.Emit) error {
	position, err := json.Marshal(journalPosition{Cursor: b.cursor})
	if err != nil {
		return fmt.Errorf("cannot store the journal's position: %w", err)
	}
	now := time.Now()
	err = emit(ctx, source.Chunk{
		Name: j.options.Name, Source: j.key, Data: b.lines, Position: position,
		Observed: now,
	})
	if err != nil {
		return emitError{err}
	}
	j.cursor = b.cursor
	j.mu.Lock()
	defer j.mu.Unlock()
	j.followed = now
	j.caughtUp = j.caughtUp || now.Sub(b.newest) < quietAfter
	j.stats.Cursor = b.cursor
	j.stats.Lines += uint64(b.count)
	j.stats.Bytes += uint64(len(b.lines))
	j.stats.Overlong += b.overlong
	j.stats.Untrusted += b.untrusted
	j.stats.Errors += b.broken
	if b.count > 0 {
		j.stats.LastLine = now
	}
	return nil
}

// hasLine reports whether another entry can be had without waiting.
func hasLine(reader *bufio.Reader) bool {
	waiting, err := reader.Peek(reader.Buffered())
	return err == nil && bytes.IndexByte(waiting, '\n') >= 0
}

// emitError is an error of emit, which ends Run, as against one of journalctl, which does not.
type emitError struct{ error }
