package cli

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/pialert/pialert/pkg/escape"
)

// Log is the part of a configuration that says what a program logs to standard error.
type Log struct {
	// Level is the least severe level that is logged: debug, info, warn or error.
	Level slog.Level `yaml:"level"`
	// Format is text for people or json for machines.
	Format string `yaml:"format"`
}

// Logger makes the program's logger. Under systemd the journal has the time already, so text
// leaves it out there.
func (l Log) Logger(stderr io.Writer) (*slog.Logger, error) {
	options := &slog.HandlerOptions{Level: l.Level}
	switch l.Format {
	case "json":
		return slog.New(slog.NewJSONHandler(escape.JSONWriter{To: stderr}, options)), nil
	case "text", "":
		if os.Getenv("JOURNAL_STREAM") != "" {
			options.ReplaceAttr = func(groups []string, attr slog.Attr) slog.Attr {
				if attr.Key == slog.TimeKey && len(groups) == 0 {
					return slog.Attr{}
				}
				return attr
			}
		}
		return slog.New(slog.NewTextHandler(stderr, options)), nil
	default:
		return nil, fmt.Errorf("log.format: %q is unknown: use text or json", l.Format)
	}
}
