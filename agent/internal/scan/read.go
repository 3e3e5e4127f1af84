package scan

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/pialert/pialert/agent/internal/detect"
)

// file scans one file.
func (s *scan) file(ctx context.Context, name string) error {
	source, err := detect.NewSource(name, s.opts.Type, s.opts.LogFormat)
	if err != nil {
		return err
	}
	in, observed, end, err := s.open(ctx, name)
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
func (s *scan) open(ctx context.Context, name string) (in io.Reader, observed time.Time, end func(), err error) {
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
	if in, err = unpack(name, s.bar.reader(file)); err != nil {
		file.Close()
		return nil, observed, nil, err
	}
	return in, observed, func() { file.Close() }, nil
}

// lines has the lines of in matched on every core, and joins them in their order.
func (s *scan) lines(ctx context.Context, source *detect.Source, in io.Reader, observed time.Time) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	p := parallel{source: source, in: detect.Lines(in), take: func(b *block) {
		s.engine.Join(&b.batch, observed)
		s.result.Bytes += int64(b.read)
		s.result.Lines += b.batch.Lines()
		if b.overLong {
			s.result.OverLong++
		}
		if s.failed != nil {
			stop()
		}
	}}
	err := p.run(ctx, s.matchers)
	if s.failed != nil {
		return errWrite
	}
	return err
}
