// Package scan reads log files from start to end and prints the attacks in them.
//
// It uses the engine that follows logs live, and reads several logs side by side, in the order of their stamps. It
// promises to hold no more than some MiB of a log in memory whatever a file's size, to read in large blocks without copying lines, and to keep JSON output
// free of anything but events, or but the one report if that is asked for. No byte of an attacker's
// is printed that could control a terminal. It follows nothing, stores nothing and sends nothing.
package scan

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/pialert/pialert/agent/internal/detect"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/escape"
	"github.com/pialert/pialert/pkg/eventjson"
)

// Result says what a scan read and found.
type Result struct {
	Lines    uint64 // lines read
	Unread   uint64 // lines of no form that is known
	Missed   uint64 // lines of known daemons that no rule took, where they were asked for
	OverLong uint64 // lines that were longer than maxLine and not looked at
	// Untrusted are entries of a journal under the name of a program that their sender is not.
	Untrusted uint64
	Bytes     int64 // bytes read, after decompression
	Events    uint64
	Attempts  uint64 // that the events stand for, where their kind counts attempts
}

// ErrNothingRead says that no line of any file has a form that is known.
var ErrNothingRead = errors.New("no line has a form that is known")

// errWrite ends a scan: what it finds cannot be printed.
var errWrite = errors.New("cannot print the events")

// sideBySide bounds the logs that are read at a time: each has blocks, and perhaps what unpacks it, in memory.
const sideBySide = 32

// Run scans the files. A file that cannot be read does not keep the others from being read; the
// error names all of them. If no line was recognised the error wraps [ErrNothingRead].
func Run(ctx context.Context, opts Options) (Result, error) {
	s, err := newScan(opts)
	if err != nil {
		return Result{}, err
	}
	opts = s.opts
	s.bar = newBar(opts)
	defer s.bar.close()
	var problems []error
	for logs := range slices.Chunk(partsOf(opts.Files), sideBySide) {
		problems = append(problems, s.read(ctx, logs)...)
		if s.failed != nil || ctx.Err() != nil {
			break
		}
	}
	s.engine.Finish()
	s.bar.close()
	if opts.Learned != nil {
		problems = append(problems, opts.Learned(s.engine.Logins().Known()))
	}
	s.result.Unread = s.engine.Stats().Unread
	s.result.Untrusted += s.engine.Stats().Untrusted
	if (s.opts.Format == Text || s.opts.Summary) && !s.opts.Missed && s.opts.Each == nil {
		s.summarise()
	}
	if err := s.out.Flush(); err != nil && s.failed == nil {
		s.failed = err
	}
	if s.failed != nil {
		problems = append(problems, fmt.Errorf("%w: %w", errWrite, s.failed))
	}
	if errors.Join(problems...) == nil && s.result.Unread > 0 && !s.engine.Recognised() {
		problems = append(problems, fmt.Errorf("%w, such as %q; give the kind of the log with --type, or its format with --log-format",
			ErrNothingRead, s.engine.Stats().Examples))
	}
	return s.result, errors.Join(problems...)
}

// newScan prepares a scan. Nothing is read yet.
func newScan(opts Options) (*scan, error) {
	files, err := expand(opts.Files)
	if err != nil {
		return nil, err
	}
	opts.Files = files
	s := &scan{opts: opts, cores: runtime.GOMAXPROCS(0), tally: newTally(), started: opts.Now()}
	s.texts = texter{look: opts.Look, zone: opts.zone(), names: shortNames(opts.Files)}
	s.out = bufio.NewWriterSize(opts.Stdout, 64<<10)
	if opts.Format == "" {
		s.opts.Format = Text
	}
	s.opts.Detect.Emit = s.emit
	if opts.Missed {
		s.opts.Detect.Missed = s.missed
	}
	s.engine, err = detect.New(s.opts.Detect)
	return s, err
}

// missed prints a line that no rule takes.
func (s *scan) missed(source *detect.Source, line []byte, number uint64) {
	s.result.Missed++
	if len(s.opts.Files) > 1 {
		s.line = append(append(s.line[:0], source.Name()...), ':')
		s.line = append(strconv.AppendUint(s.line, number, 10), ": "...)
	} else {
		s.line = s.line[:0]
	}
	s.line = append(append(s.line, escape.Text(string(line))...), '\n')
	if _, err := s.out.Write(s.line); err != nil && s.failed == nil {
		s.failed = err
	}
}

// scan is the state of one run.
type scan struct {
	opts    Options
	engine  *detect.Engine
	cores   int // on which lines are matched
	out     *bufio.Writer
	line    []byte // the event being printed
	print   eventjson.Printer
	texts   texter
	tally   *tally
	result  Result
	bar     *bar
	started time.Time
	failed  error // of writing
}

// emit prints and counts one event.
func (s *scan) emit(ev *attack.Event, line uint64) {
	if s.opts.Missed || s.outside(ev.Logged) {
		return
	}
	s.result.Events++
	if ev.Kind.Attempt() {
		s.result.Attempts += ev.Count
	}
	if s.opts.Each != nil {
		s.opts.Each(ev)
		return
	}
	s.tally.add(ev)
	switch {
	case s.opts.Summary:
		return
	case s.opts.Format == JSON:
		s.line = s.print.Append(s.line[:0], ev, eventjson.Where{Line: line})
	default:
		s.line = s.texts.event(s.line[:0], ev, line)
	}
	if _, err := s.out.Write(s.line); err != nil && s.failed == nil {
		s.failed = err
	}
}

// outside says whether a time is one that is left out. What has no time is not.
func (s *scan) outside(logged time.Time) bool {
	since, until := s.opts.Since, s.opts.Until
	return !logged.IsZero() && (!since.IsZero() && logged.Before(since) || !until.IsZero() && logged.After(until))
}
