// Package spool keeps numbered attack events on disk until every consumer has them. A consumer is
// known by its name: a display, or whatever else reads the events and acknowledges their numbers.
//
// A spool is an append-only log in segments of a few MiB. One [Spool.Commit] writes one frame:
// the events, numbered without gaps, together with changes to a small key/value state (how far
// each log was read and what detection remembers across lines). It is synced to the disk before
// Commit returns, whole or not at all, so that after a crash the reading position, the memory and
// the events go back together.
//
// What it promises: a number is never given to two different events that were both committed; a
// failed Commit, such as on a full disk, leaves everything as it was and may be repeated; a spool
// that was cut short or damaged opens nevertheless, with everything that can still be read, the
// damaged file set aside under a name that begins with "damaged-", and the loss counted. What it
// has to drop, because it would outgrow its bounds of size and age, it counts as well.
//
// What it refuses: a directory that another process has open, and events outside the bounds of
// pkg/attack and pkg/wire.
//
// It is a log of our own and no database, since it has little to do: checksums on every byte, one
// fdatasync for each commit, files that shrink, and going on after damage.
package spool

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Defaults of [Options].
const (
	DefaultMaxBytes = 256 << 20
	DefaultMaxAge   = 30 * 24 * time.Hour
)

// Options say where a spool is and how large it may grow.
type Options struct {
	Dir      string        // created if it is missing; belongs to this spool alone
	Agent    string        // the agent's name, written into every event
	MaxBytes int64         // of all segments; DefaultMaxBytes if 0, at least 256 KiB
	MaxAge   time.Duration // of an event nobody fetched; DefaultMaxAge if 0
	Now      func() time.Time
	Random   io.Reader // crypto/rand if nil
	Logger   *slog.Logger

	storage storage // tests put faults here
}

// Spool is an open spool. Its methods may be called concurrently.
type Spool struct {
	options      Options
	segmentBytes int64
	lock         *os.File

	writing sync.Mutex   // held by whoever appends; everything below it is theirs
	file    file         // the newest segment, or nil if the next frame begins a new one
	undo    func() error // removes what a failed write left; nothing is written before it succeeds
	buf     []byte       // for frames
	batch   []byte       // for events

	mu         sync.Mutex // guards everything below
	closed     bool
	ledger     ledger
	next       uint64 // number of the next event
	opened     uint64 // value of next when the spool was opened
	removed    bool   // a segment was deleted, and the directory not synced since
	state      map[string][]byte
	stateLen   int64      // bytes of its keys and values
	segments   []*segment // oldest first
	endMissing bool       // the end of the newest segment was missing or damaged when the spool was opened
	recent     recent
	missing    []gap         // found to be unreadable, not yet in the ledger
	changed    chan struct{} // closed at the next change, nil if nobody waits
	refused    uint64
	seen       time.Time // when the age was last advanced
}

// Open opens the spool in options.Dir, or begins one. It returns an error wrapping [ErrLocked] if
// another process has it open.
func Open(options Options) (*Spool, error) {
	if options.MaxBytes == 0 {
		options.MaxBytes = DefaultMaxBytes
	}
	if options.MaxAge == 0 {
		options.MaxAge = DefaultMaxAge
	}
	if options.Random == nil {
		options.Random = rand.Reader
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	if options.storage == nil {
		options.storage = disk{}
	}
	options.MaxBytes = max(options.MaxBytes, 256<<10)
	if err := makeDir(options.storage, options.Dir); err != nil {
		return nil, fmt.Errorf("cannot create the spool: %w", err)
	}
	lock, err := lockDir(options.Dir)
	if err != nil {
		return nil, err
	}
	s := &Spool{
		options:      options,
		segmentBytes: min(options.MaxBytes/8, 4<<20),
		lock:         lock,
		state:        map[string][]byte{},
		next:         1,
	}
	if err := s.restore(); err != nil {
		return nil, errors.Join(err, unlock(lock))
	}
	return s, nil
}

// lockDir takes the lock of a spool's directory; the kernel frees it when the process ends.
func lockDir(dir string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the spool: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("cannot open the spool %s: %w; stop it first", dir, ErrLocked)
		}
		return nil, fmt.Errorf("cannot lock the spool %s: %w", dir, err)
	}
	return lock, nil
}

// unlock frees the lock even if a process that is being started still has a copy of the file.
func unlock(lock *os.File) error {
	return errors.Join(syscall.Flock(int(lock.Fd()), syscall.LOCK_UN), lock.Close())
}

// Close writes down what the consumers acknowledged and closes the spool. Whatever was committed
// is safe without it.
func (s *Spool) Close() error {
	err := s.Commit(nil, nil)
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.wake()
	if s.file != nil {
		err = errors.Join(err, s.file.Close())
	}
	return errors.Join(err, unlock(s.lock))
}

// State returns the keys and values that the last commit left, in no order. The values must not
// be changed.
func (s *Spool) State() iter.Seq2[string, []byte] {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.All(maps.Clone(s.state))
}

// first returns the lowest number that the spool still holds, or the next one if it holds none.
func (s *Spool) first() uint64 {
	for _, g := range s.segments {
		if g.first < g.next {
			return g.first
		}
	}
	return s.next
}

// Changed returns a channel that is closed when events were added, the consumers changed, or the
// spool was closed. Ask for it before looking at what it tells of.
func (s *Spool) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.changed
}

// wake closes the channel of Changed. The caller holds s.mu.
func (s *Spool) wake() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// random returns a random number that is not zero.
func (s *Spool) random() (uint64, error) {
	for {
		var raw [8]byte
		if _, err := io.ReadFull(s.options.Random, raw[:]); err != nil {
			return 0, fmt.Errorf("cannot read random bytes: %w", err)
		}
		if n := binary.LittleEndian.Uint64(raw[:]); n != 0 {
			return n, nil
		}
	}
}

// maxStep bounds by how much the spool ages between two looks at the clock, and what would be more than
// maxAway is a clock that was set wrong: a jump to the year 2099 makes nothing too old.
const (
	maxStep = 24 * time.Hour
	maxAway = 366 * 24 * time.Hour
)

// grow returns the spool's age now. In one run it follows the monotonic clock; from one run to the
// next only the clock on the wall can tell.
func (s *Spool) grow(now time.Time) time.Duration {
	step := now.Sub(s.seen)
	s.seen = now
	if step > maxAway {
		step = 0
	}
	return s.ledger.age + min(max(step, 0), maxStep)
}
