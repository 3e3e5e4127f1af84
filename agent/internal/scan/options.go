package scan

import (
	"context"
	"io"
	"time"

	"github.com/pialert/pialert/agent/internal/detect"
	"github.com/pialert/pialert/agent/internal/detect/login"
	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/pkg/attack"
)

// Format is how events are printed.
type Format string

// The formats.
const (
	Text Format = "text" // a line for each event, and a report
	JSON Format = "json" // one JSON object for each event, or for the report, and nothing else
)

// Options say what to scan and how.
type Options struct {
	Files     []string                  // read side by side: files, folders and patterns; "-" is Stdin, and "journal" what Journal writes
	Type      rule.Type                 // of every file; empty or auto: recognised by its lines
	LogFormat string                    // Apache's LogFormat of access logs; empty for the usual ones
	Format    Format                    // default Text
	Summary   bool                      // print the report only
	Missed    bool                      // print the lines of known daemons that no rule takes, and nothing else
	Since     time.Time                 // leave out what was logged before, if it is not zero
	Until     time.Time                 // leave out what was logged later, if it is not zero
	Each      func(*attack.Event)       // takes each event; then nothing is printed
	Look      Look                      // of text
	Detect    detect.Options            // Emit is the scan's own
	Learned   func([]login.Known) error // takes where users got in, at the end; nil if nobody asks
	Stdin     io.Reader
	Journal   func(ctx context.Context, to io.Writer) error // writes systemd's journal as lines of syslog; nil if there is none
	Stdout    io.Writer
	Progress  io.Writer        // a terminal that shows how far a long scan is, or nil
	Now       func() time.Time // for the summary, and the years of stamps without one
}

// zone is that of the times in text, and of stamps without one.
func (o *Options) zone() *time.Location {
	if o.Detect.Location != nil {
		return o.Detect.Location
	}
	return time.Local
}
