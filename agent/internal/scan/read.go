package scan

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/pialert/pialert/agent/internal/detect"
)

const (
	block   = 64 << 10 // bytes read at a time
	maxLine = 1 << 20  // bytes of the longest line that is looked at
)

// file scans one file.
func (s *scan) file(ctx context.Context, name string) error {
	source, err := detect.NewSource(name, s.opts.Type, s.opts.LogFormat)
	if err != nil {
		return err
	}
	in, observed, end, err := s.open(name)
	if err != nil {
		return fmt.Errorf("cannot scan %s: %w", name, err)
	}
	defer end()
	if err := s.lines(ctx, source, in, observed); err != nil {
		return fmt.Errorf("cannot scan %s to its end: %w", name, err)
	}
	return nil
}

// open returns the text of a file, and when it was last written.
func (s *scan) open(name string) (in io.Reader, observed time.Time, end func(), err error) {
	observed = s.started
	in, end = s.opts.Stdin, func() {}
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, observed, nil, err
		}
		in, end = file, func() { file.Close() }
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() && info.ModTime().Before(observed) {
			observed = info.ModTime()
		}
	}
	in = s.bar.reader(in)
	if strings.HasSuffix(name, ".gz") {
		unzipped, err := gzip.NewReader(in)
		if err != nil {
			end()
			return nil, observed, nil, err
		}
		in = unzipped
	}
	return in, observed, end, nil
}

// lines feeds the engine with the lines of in, in place.
func (s *scan) lines(ctx context.Context, source *detect.Source, in io.Reader, observed time.Time) error {
	buf := make([]byte, block)
	kept := 0     // bytes at the start of buf: a line whose end was not read yet
	skip := false // the line at hand is longer than maxLine
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if len(buf)-kept < block && len(buf) < maxLine+block {
			buf = append(buf, make([]byte, min(len(buf), maxLine+block-len(buf)))...)
		}
		n, err := in.Read(buf[kept:])
		s.result.Bytes += int64(n)
		text := buf[:kept+n]
		from := kept
		for {
			newline := bytes.IndexByte(text[from:], '\n')
			if newline < 0 {
				break
			}
			s.feed(source, text[:from+newline], &skip, observed)
			text, from = text[from+newline+1:], 0
		}
		if len(text) > maxLine {
			text, skip = nil, true
		}
		kept = copy(buf, text)
		if s.failed != nil {
			return errWrite
		}
		switch {
		case err == io.EOF:
			if kept > 0 || skip {
				s.feed(source, buf[:kept], &skip, observed)
			}
			return nil
		case err != nil:
			return err
		}
	}
}

func (s *scan) feed(source *detect.Source, line []byte, skip *bool, observed time.Time) {
	s.result.Lines++
	if *skip || len(line) > maxLine {
		s.result.OverLong++
		line, *skip = nil, false // counted, so that the engine's line numbers are the file's
	}
	s.engine.Feed(source, line, observed)
}
