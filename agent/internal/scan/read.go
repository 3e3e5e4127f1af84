package scan

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/pialert/pialert/agent/internal/detect"
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

// lines has the lines of in matched on every core, and joins them in their order.
func (s *scan) lines(ctx context.Context, source *detect.Source, in io.Reader, observed time.Time) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	p := newParallel(source, s.matchers)
	go p.read(ctx, in)
	for b := range p.inOrder() {
		s.engine.Join(&b.batch, observed)
		s.result.Bytes += int64(b.read)
		s.result.Lines += b.batch.Lines()
		if b.overLong {
			s.result.OverLong++
		}
		if s.failed != nil {
			stop()
		}
	}
	if s.failed != nil {
		return errWrite
	}
	return p.err
}
