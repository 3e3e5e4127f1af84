package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pialert/pialert/agent/internal/source"
	"github.com/pialert/pialert/pkg/escape"
	"github.com/pialert/pialert/pkg/plural"
)

// notes says what is not as it should be, a sentence each.
func (s Status) notes() (notes []string) {
	note := noting(&notes)
	if s.Spool.Fault != "" {
		notes = append(notes, fmt.Sprintf("no log is read on since %s, for the spool cannot be written: %s",
			s.Spool.FaultSince.Format(time.DateTime), s.Spool.Fault))
	}
	for _, problem := range s.Problems {
		notes = append(notes, escape.Text(problem))
	}
	behind, left := 0, source.Backlog{}
	for _, log := range s.Sources {
		if log.Backlog != nil {
			behind, left.Files, left.Bytes = behind+1, left.Files+log.Backlog.Files, left.Bytes+log.Backlog.Bytes
			if left.Reached.IsZero() || log.Backlog.Reached.Before(left.Reached) {
				left.Reached = log.Backlog.Reached
			}
		}
	}
	note(uint64(left.Files), "rotated file", "of %s still to be read, %s; all before %s has been", plural.Count(behind, "log"), plural.Count(left.Bytes, "byte"), left.Reached.Format(time.DateTime))
	for _, log := range s.Sources {
		if log.Error != "" {
			notes = append(notes, fmt.Sprintf("%s cannot be read: %s", escape.Text(log.Source), escape.Text(log.Error)))
		}
		if log.Remedy != "" {
			notes = append(notes, "  on this system: "+log.Remedy)
		}
		note(log.Overlong, "line", "of %s left out: longer than %d bytes", escape.Text(log.Source), source.MaxLine)
		note(log.Untrusted, "entry", "of %s left out: the sender may not speak under that name", escape.Text(log.Source))
		note(uint64(log.Skipped), "file", "of %s not followed: too many; name those that matter", escape.Text(log.Source))
	}
	for _, log := range s.Sources {
		if log.Network != nil {
			notes = append(notes, networkNotes(log)...)
		}
	}
	if s.Responses != nil {
		notes = append(notes, s.Responses.Notes()...)
	}
	for _, display := range s.Displays {
		if !display.Link.Up && display.Link.Error != "" {
			notes = append(notes, fmt.Sprintf("display %s is not connected: %s", display.Name, escape.Text(display.Link.Error)))
		}
		if display.Link.Note != "" {
			notes = append(notes, fmt.Sprintf("display %s: %s", display.Name, escape.Text(display.Link.Note)))
		}
	}
	note(s.Spool.DroppedEvents, "event", "of %s had to be dropped", plural.Count(s.Spool.DroppedAttempts, "attempt"))
	note(s.Spool.RefusedEvents, "event", "left out: a field was outside its bounds; the log says which")
	note(s.Detect.Ignored, "attempt", "left out, as the configuration ignores the address")
	note(s.Detect.Evicted, "connection", "forgotten: too many at a time")
	note(s.Detect.Unattributed, "connection", "failed before any line named the address")
	note(s.Detect.Crowded, "entry", "of addresses, networks and user names forgotten: too many at a time; floods, scans or sprays of theirs may be missed")
	note(s.Detect.Untrusted, "entry", "of journals in files left out: the sender may not speak under that name")
	note(s.Detect.Unread, "line", "had no form that is known; give the log's type in the configuration")
	for _, example := range s.Detect.Examples {
		notes = append(notes, "  such as: "+escape.Text(example))
	}
	if len(s.Rotation) > 0 {
		notes = append(notes, "the key changes once these have heard of it: "+strings.Join(slices.Sorted(slices.Values(s.Rotation)), ", "))
	}
	return notes
}

// noting returns what adds a note that begins with a number of something, unless there is none.
func noting(notes *[]string) func(n uint64, noun, format string, args ...any) {
	return func(n uint64, noun, format string, args ...any) {
		if n > 0 {
			*notes = append(*notes, plural.Count(n, noun)+" "+fmt.Sprintf(format, args...))
		}
	}
}

// networkNotes says what is not as it should be with a listener.
func networkNotes(log SourceStatus) (notes []string) {
	n, listen := log.Network, escape.Text(log.Source)
	note := noting(&notes)
	note(n.Refused, "try", "to send to %s refused, the last from %s; syslog[].from says who may", listen, cmp.Or(n.RefusedLast, "unknown"))
	note(n.Dropped, "datagram", "to %s dropped by the kernel: its buffer was full; see docs/syslog.md", listen)
	note(n.Unparsed, "message", "to %s had no header: read as text", listen)
	note(n.Truncated, "message", "to %s cut: longer than 64 KiB", listen)
	if n.Killed {
		notes = append(notes, fmt.Sprintf("the agent was killed while it listened on %s, with %s that it knew of; what was on its way may be lost", listen, plural.Count(n.Interrupted, "connection")))
	}
	if n.Buffer > 0 && n.Buffer < n.Wanted {
		notes = append(notes, fmt.Sprintf("the kernel keeps %d bytes of %s, not the %d that are wanted; on this system: sudo sysctl -w net.core.rmem_max=%d, and restart",
			n.Buffer, listen, n.Wanted, n.Wanted))
	}
	return notes
}
