package journal

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pialert/pialert/agent/internal/header"
	"github.com/pialert/pialert/agent/internal/source/journal/journalfile"
	"github.com/pialert/pialert/pkg/backoff"
)

// pollEvery is how often the journal's files are looked at for new entries: journald writes by memory
// mapping, of which inotify(7) tells nothing.
const pollEvery = 250 * time.Millisecond

// files answers a query as journalctl does, from the files themselves.
func (j *Journal) files(ctx context.Context, q query, read func(io.Reader) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := j.write(ctx, q, in)
		in.CloseWithError(err) // nil is the end
		done <- err
	}()
	err := read(out)
	cancel()
	out.CloseWithError(context.Canceled)
	if writeErr := <-done; err == nil {
		err = writeErr
	}
	return err
}

// write writes the entries of a query to out, as journalctl does.
func (j *Journal) write(ctx context.Context, q query, out io.Writer) error {
	match := matcher(j.options.Matches)
	wanted := maps.Clone(match.names)
	for name := range strings.SplitSeq(header.EntryFields, ",") {
		wanted[name] = true
	}
	reader := journalfile.NewReader(j.options.Folders, func(name string) bool { return wanted[name] })
	defer reader.Close()
	var damaged uint64
	w := bufio.NewWriterSize(out, maxBatch)
	switch {
	case q.newest:
		place, err := reader.End()
		if err != nil || place == (journalfile.Place{}) {
			return err
		}
		return json.NewEncoder(out).Encode(map[string]string{"__CURSOR": place.Cursor()})
	case q.after != "":
		place, err := journalfile.ParseCursor(q.after)
		if err != nil {
			return err
		}
		reader.After(place)
	case !q.since.IsZero():
		reader.Since(q.since)
	}
	for {
		e, ok, err := reader.Next()
		if n := reader.Damaged(); n != damaged {
			j.options.Logger.Warn("the journal is damaged, and some of it unread", "source", j.key, "entries", n-damaged)
			damaged = n
		}
		switch {
		case err != nil:
			return errors.Join(err, w.Flush())
		case ok && !q.until.IsZero() && e.Realtime > uint64(q.until.UnixMicro()):
		case ok && match.matches(e):
			if err := encode(w, e); err != nil {
				return err
			}
		case !ok:
			if err := w.Flush(); err != nil || !q.follow {
				return err
			}
			if backoff.Wait(ctx, pollEvery, nil); ctx.Err() != nil {
				return ctx.Err()
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// encode writes an entry as `journalctl --output=json` does.
func encode(w io.Writer, e journalfile.Entry) error {
	fields := map[string]any{
		"__CURSOR": e.Cursor(), "__REALTIME_TIMESTAMP": strconv.FormatUint(e.Realtime, 10),
	}
	for _, f := range e.Fields {
		if _, ok := fields[f.Name]; ok {
			continue // the first counts
		}
		switch {
		case f.Value == nil:
			fields[f.Name] = nil
		case utf8.Valid(f.Value):
			fields[f.Name] = string(f.Value)
		default:
			numbers := make([]int, len(f.Value))
			for i, c := range f.Value {
				numbers[i] = int(c)
			}
			fields[f.Name] = numbers
		}
	}
	line, err := json.Marshal(fields)
	if err != nil {
		return fmt.Errorf("cannot encode a journal entry: %w", err)
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

// matches are journalctl's match arguments: values of one field are alternatives, fields must all match.
type matches struct {
	values []string // NAME=value
	names  map[string]bool
}

func matcher(arguments []string) matches {
	m := matches{values: arguments, names: map[string]bool{}}
	for _, argument := range arguments {
		name, _, _ := strings.Cut(argument, "=")
		m.names[name] = true
	}
	return m
}

func (m matches) matches(e journalfile.Entry) bool {
	matched := map[string]bool{}
	for _, f := range e.Fields {
		if m.names[f.Name] && slices.Contains(m.values, f.Name+"="+string(f.Value)) {
			matched[f.Name] = true
		}
	}
	return len(matched) == len(m.names)
}
