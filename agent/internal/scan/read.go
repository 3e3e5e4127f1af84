package scan

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/pialert/pialert/agent/internal/detect"
)

// open begins to read a file.
func (s *scan) open(ctx context.Context, name string) (*blocks, error) {
	source, err := detect.NewSource(name, s.opts.Type, s.opts.LogFormat)
	if err != nil {
		return nil, err
	}
	in, observed, end, err := s.text(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("cannot scan %s: %w", name, err)
	}
	plain := bufio.NewReader(in)
	if isJournalFile(plain) {
		end()
		return nil, fmt.Errorf("cannot scan %s: %w", name, errJournalFile)
	}
	return &blocks{source: source, observed: observed, end: end, in: detect.NewLines(plain, s.opts.Detect.Rules)}, nil
}

// text returns the text of a file, and when it was last written to.
func (s *scan) text(ctx context.Context, name string) (in io.Reader, observed time.Time, end func(), err error) {
	observed = s.started
	switch {
	case name == "-":
		return s.bar.reader(s.opts.Stdin), observed, func() {}, nil
	case name == Journal && s.opts.Journal != nil:
		read, write := io.Pipe()
		go func() { write.CloseWithError(s.opts.Journal(ctx, write)) }()
		return s.bar.reader(read), observed, func() { read.Close() }, nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, observed, nil, err
	}
	if info, err := file.Stat(); err == nil && info.Mode().IsRegular() && info.ModTime().Before(observed) {
		observed = info.ModTime()
	}
	in, err = text(name, s.bar.reader(file))
	if err != nil {
		file.Close()
		return nil, observed, nil, err
	}
	return in, observed, func() { file.Close() }, nil
}

// isJournalFile says whether a text begins as a file of systemd's journal does (systemd's JOURNAL_FILE_FORMAT.md,
// signature).
func isJournalFile(text *bufio.Reader) bool {
	const signature = "LPKSHHRH"
	start, _ := text.Peek(len(signature))
	return string(start) == signature
}

var errJournalFile = errors.New("it is a file of systemd's journal: journalctl -o export --file FILE | pialert-agent scan - reads it")
