package scan

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"sync"

	"github.com/pialert/pialert/agent/internal/detect"
)

// merge reads logs side by side, and has the engine join their lines in the order of their stamps: two
// programs tell of one password in two files. Goroutines read blocks of a file, match them and deliver them;
// one that finds nobody joining joins what was delivered, so that a block mostly stays in the cache of one core.
type merge struct {
	*scan
	matchers chan *detect.Matcher
	workers  sync.WaitGroup

	mu       sync.Mutex // what follows, and the logs
	logs     []*log     // not read to their ends
	joining  bool       // by some goroutine
	problems []error
}

// log is a log that is being read.
type log struct {
	parts
	file      *blocks // the part at work; nil before the first
	working   int     // goroutines that read it
	delivered map[uint64]*block
	joined    uint64 // blocks of the file
	at        int64  // when its next line was logged or later, in seconds since 1970
}

// read reads logs to their ends, and returns what kept it from that.
func (s *scan) read(ctx context.Context, logs []parts) []error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	m := merge{scan: s, matchers: make(chan *detect.Matcher, s.cores)}
	for range s.cores {
		m.matchers <- detect.NewMatcher(s.opts.Detect)
	}
	for _, of := range logs {
		m.logs = append(m.logs, &log{parts: of, at: math.MinInt64})
	}
	m.join(ctx, stop)
	m.workers.Wait()
	return m.problems
}

// work reads, matches and delivers blocks of a log's file until there are no more.
func (m *merge) work(ctx context.Context, stop func(), l *log, file *blocks) {
	for b := file.room(ctx); b != nil && file.next(ctx, b); b = file.room(ctx) {
		matcher := <-m.matchers
		b.match(file.source, matcher)
		m.matchers <- matcher
		m.mu.Lock()
		l.delivered[b.number] = b
		m.mu.Unlock()
		m.join(ctx, stop)
	}
	m.mu.Lock()
	l.working--
	m.mu.Unlock()
	m.join(ctx, stop)
}

// room returns a block to read into, or nil if ctx ends before there is one.
func (r *blocks) room(ctx context.Context) *block {
	select {
	case b := <-r.free:
		return b
	case <-ctx.Done():
		return nil
	}
}

// join joins what was delivered, unless another goroutine does: always of the log whose next line is the
// oldest, until that is another's. Where that is not known yet, it leaves the rest to who delivers it.
func (m *merge) join(ctx context.Context, stop func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.joining {
		return
	}
	m.joining = true
	defer func() { m.joining = false }()
	for len(m.logs) > 0 {
		i, until := m.oldest()
		l := m.logs[i]
		b := l.delivered[l.joined]
		switch {
		case b != nil:
			m.mu.Unlock()
			next, more := m.engine.JoinUntil(&b.batch, l.file.observed, until)
			m.mu.Lock()
			if more {
				l.at = next
				continue
			}
			m.took(b)
			delete(l.delivered, l.joined)
			l.joined++
			l.file.free <- b
			if m.failed != nil {
				stop()
			}
		case l.working > 0:
			return
		case !m.begin(ctx, stop, l):
			m.logs = append(m.logs[:i], m.logs[i+1:]...)
		}
	}
}

// oldest returns the log whose next line is the oldest, and when the next one of the others was logged.
func (m *merge) oldest() (oldest int, until int64) {
	until = math.MaxInt64
	for i, l := range m.logs[1:] {
		if l.at < m.logs[oldest].at {
			oldest, until = i+1, m.logs[oldest].at
		} else {
			until = min(until, l.at)
		}
	}
	return oldest, until
}

// begin ends with the part of a log that was read, and begins with the next one, if there is one.
func (m *merge) begin(ctx context.Context, stop func(), l *log) bool {
	if file := l.file; file != nil {
		l.file = nil
		m.result.Untrusted += file.in.Untrusted()
		file.end()
		if err := cmp.Or(file.err, ctx.Err()); err != io.EOF && m.failed == nil && (ctx.Err() == nil || len(m.problems) == 0) { // who ends a scan needs no list
			m.problems = append(m.problems, fmt.Errorf("cannot scan %s to its end: %w", file.source.Name(), err))
		}
	}
	for len(l.files) > 0 && ctx.Err() == nil {
		name := l.files[0]
		l.files = l.files[1:]
		file, err := m.open(ctx, name)
		if err != nil {
			m.problems = append(m.problems, err)
			continue
		}
		file.source.PartOf(l.name)
		l.file, l.delivered, l.joined, l.working = file, map[uint64]*block{}, 0, max(1, min(m.cores, 2*m.cores/len(m.logs)))
		file.free = make(chan *block, l.working+1)
		for range l.working + 1 {
			file.free <- new(block)
		}
		for range l.working {
			m.workers.Go(func() { m.work(ctx, stop, l, file) })
		}
		return true
	}
	return false
}

// took counts what a block held.
func (s *scan) took(b *block) {
	s.result.Bytes += int64(b.read)
	s.result.Lines += b.batch.Lines()
	if b.overLong {
		s.result.OverLong++
	}
}
