package page

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/pialert/pialert/display/internal/animate"
	"github.com/pialert/pialert/pkg/wake"
)

// How often open pages are told something, and how many there can be.
const (
	frameEvery = 50 * time.Millisecond  // the browser moves smoothly between two pictures
	rowsEvery  = 500 * time.Millisecond // events: no person reads faster
	stateEvery = 2 * time.Second        // who is connected
	aliveEvery = 15 * time.Second       // so that proxies and browsers see a live connection
	maxStreams = 64                     // open pages
	maxBehind  = 64                     // messages that a page may be behind before it is dropped
	maxRows    = 40                     // events in one message; the list shows no more
)

// live tells open pages what happens. The methods that report something only note it under a
// lock: the panel waits for no page. A page that reads too slowly is dropped; its browser comes
// back and asks for what it missed.
type live struct {
	mu     sync.Mutex
	frame  animate.Frame
	totals totals
	drawn  bool // the frame changed since pages were told
	count  bool // the totals did
	stored bool // events were stored
	opened bool // a page was opened, whose list of agents may be old

	streams map[*stream]struct{}
	dropped uint64
	wake    wake.Bell // rung when there is something to tell, or somebody to tell it to
}

// stream is one open page.
type stream struct {
	messages chan []byte // closed when the page is dropped
	last     int64       // id of the newest event that it has; only Run uses it
}

func newLive() *live {
	return &live{streams: map[*stream]struct{}{}, wake: wake.New()}
}

// Picture notes what the device shows.
func (l *live) Picture(frame animate.Frame) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.frame, l.drawn = frame, true
	l.rouse()
}

// Totals notes what the lamps count.
func (l *live) Totals(lamps []uint64, grand uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.totals.All, l.count = grand, true
	l.totals.Lamps = append(l.totals.Lamps[:0], lamps...)
	l.rouse()
}

// Stored notes that events, or corrections, have come into the history.
func (l *live) Stored() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stored = true
	l.rouse()
}

// rouse wakes Run if a page is open. The caller holds the lock.
func (l *live) rouse() {
	if len(l.streams) > 0 {
		l.wake.Ring()
	}
}

// now returns the picture.
func (l *live) now() picture {
	l.mu.Lock()
	defer l.mu.Unlock()
	return pictureOf(l.frame)
}

// open adds a page that has the events up to last; nil if too many are open.
func (l *live) open(last int64) *stream {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.streams) >= maxStreams {
		return nil
	}
	s := &stream{messages: make(chan []byte, maxBehind), last: last}
	s.messages <- jsonMessage("picture", pictureOf(l.frame))
	if l.totals.Lamps != nil {
		s.messages <- jsonMessage("totals", l.totals)
	}
	if len(l.streams) == 0 {
		l.drawn, l.count = false, false // it has just been told
	}
	l.streams[s] = struct{}{}
	l.stored, l.opened = true, true
	l.rouse()
	return s
}

// close removes a page that has left.
func (l *live) close(s *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.streams, s)
}

// Stats says how many pages are open now, and how many were dropped because they read too slowly.
func (l *live) Stats() (open int, dropped uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.streams), l.dropped
}

// tell hands a message to a page, or drops the page. The caller holds the lock.
func (l *live) tell(s *stream, m []byte) {
	select {
	case s.messages <- m:
	default:
		l.dropped++
		delete(l.streams, s)
		close(s.messages)
	}
}

// tellAll hands a message to every page. The caller holds the lock.
func (l *live) tellAll(m []byte) {
	for s := range l.streams {
		l.tell(s, m)
	}
}

// news reads what pages are told from elsewhere. Only Run calls it, while a page is open.
type news interface {
	// rows returns the newest events above an id as one message, and the highest id.
	rows(ctx context.Context, after int64) (m []byte, last int64, err error)
	// agents returns the list of agents as a message.
	agents(ctx context.Context) []byte
}

// Run tells open pages until ctx ends, and then drops them.
func (l *live) Run(ctx context.Context, from news) error {
	defer l.dropAll()
	var rowsAt, stateAt time.Time
	var agents []byte // as they were told last
	later := time.NewTimer(0)
	defer later.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-l.wake:
		case <-later.C:
		}
		if !l.watched() {
			continue
		}
		l.tellFrame()
		now := time.Now()
		if opened := l.take(&l.opened); opened || now.Sub(stateAt) >= stateEvery {
			stateAt = now
			if m := from.agents(ctx); opened || !bytes.Equal(m, agents) {
				agents = m
				l.tellEveryone(m)
			}
		}
		if now.Sub(rowsAt) >= rowsEvery && l.take(&l.stored) {
			rowsAt = now
			l.tellRows(ctx, from)
		}
		// Nothing more before the next picture is due, whatever happens meanwhile.
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(frameEvery):
		}
		next := stateAt.Add(stateEvery)
		if l.hasStored() && rowsAt.Add(rowsEvery).Before(next) {
			next = rowsAt.Add(rowsEvery)
		}
		later.Reset(max(time.Until(next), 0))
	}
}

func (l *live) watched() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.streams) > 0
}

func (l *live) hasStored() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stored
}

// take returns a flag and lowers it.
func (l *live) take(flag *bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	was := *flag
	*flag = false
	return was
}

func (l *live) tellFrame() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.streams) == 0 {
		return
	}
	if l.drawn {
		l.drawn = false
		l.tellAll(jsonMessage("picture", pictureOf(l.frame)))
	}
	if l.count {
		l.count = false
		l.tellAll(jsonMessage("totals", l.totals))
	}
}

func (l *live) tellEveryone(m []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tellAll(m)
}

// tellRows tells each page the events that it does not have. Most pages have the same ones, so
// that one reading serves them all.
func (l *live) tellRows(ctx context.Context, from news) {
	byLast := map[int64][]*stream{}
	l.mu.Lock()
	for s := range l.streams {
		byLast[s.last] = append(byLast[s.last], s)
	}
	l.mu.Unlock()
	for after, group := range byLast {
		m, last, err := from.rows(ctx, after)
		if err != nil || last <= after {
			continue
		}
		l.mu.Lock()
		for _, s := range group {
			if _, open := l.streams[s]; open {
				s.last = last
				l.tell(s, m)
			}
		}
		l.mu.Unlock()
	}
}

func (l *live) dropAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := range l.streams {
		delete(l.streams, s)
		close(s.messages)
	}
}
