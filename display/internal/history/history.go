// Package history keeps every event that a display received, once, in one SQLite file.
//
// # What it promises
//
//   - An event is identified by its agent, the agent's epoch and its sequence number. Numbers of one
//     agent and epoch arrive in rising order, so a high-water mark per agent and epoch is enough
//     to store each event once. The mark, the event and the totals change in one transaction.
//   - What [History.Append] reported as committed survives a killed process and a power cut: the
//     file is in WAL mode with synchronous=FULL (https://sqlite.org/pragma.html#pragma_synchronous).
//   - Totals are never deleted. Events are, by age and by the size of the file, in small steps.
//   - Who reads holds up no commit: [History.View] and what is built on it read beside the writer,
//     each a commit's picture. [History.After] and [History.Changed] let anybody follow the events
//     from any point on, however slowly.
//   - A full disk holds the queue back and loses nothing, and what is stored can still be read. A
//     second process cannot open the file.
//   - A damaged file is set aside under a named file, what is readable in it is carried over, and
//     recording goes on.
//
// # What it refuses
//
// It does not judge events: whoever appends has checked their bounds and their numbering. It
// never lets more than a set number of bytes wait, nor one agent fill the queue alone.
//
// # Others' tables
//
// What must change in one transaction with what was read of the events, such as a cursor and an
// outbox, is kept in the same file with [History.Update].
//
// Memory cards wear with each commit, so commits are made in groups: at once after a quiet
// time, else no more often than [Options.Interval] unless the queue fills.
package history

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	sqlitelib "modernc.org/sqlite/lib"

	"github.com/pialert/pialert/pkg/wake"
)

// Options says where a history is kept and for how long.
type Options struct {
	Path         string                // the file; "-wal", "-shm", ".lock", ".totals" and ".damaged-TIME" files may stand beside it
	MaxAge       time.Duration         // events that arrived longer ago are deleted; 0 keeps them
	NetworksOnly bool                  // of addresses only the /24, or /48 of IPv6, is stored
	AddressAge   time.Duration         // of addresses of events that arrived longer ago, only that remains; 0 keeps them as long as the event
	MaxBytes     int64                 // the oldest events are deleted when the file is larger; 0 sets no limit
	Interval     time.Duration         // least time between two commits while the queue is short; may be 0
	MaxQueue     int                   // bytes of events that may wait for a commit; 0 means 16 MiB
	Zone         func() *time.Location // whose days and hours are counted; it may change; nil means time.Local
	Now          func() time.Time
	Logger       *slog.Logger
	Progress     Progress // of the upgrade of a file of an earlier version, or of the repair of one; may be nil
}

// History is one open history. Its methods may be called from several goroutines at once.
type History struct {
	options Options
	coarse  int64 // events up to this id have no whole addresses any more; only Run uses it
	log     *slog.Logger

	coarseLists int64 // lists that begin before have no whole addresses any more; only Run uses it

	zone atomic.Pointer[time.Location] // whose days the file has; upkeep lets it follow that of the options

	mu     sync.Mutex
	room   *sync.Cond // signalled when the queue gets shorter or the writer stops
	queue  []pending
	queued map[string]int // bytes that wait, by agent
	total  int            // bytes that wait
	stop   bool           // nothing is accepted any more
	heard  map[string]time.Time
	known  summary // what is committed
	store  *store  // replaced when the file is damaged
	fault  string  // why commits fail now, or empty

	agreed  time.Time             // when an agent's clock agreed with this one; only the writer uses it
	crowd   crowd                 // only the writer uses it
	past    past                  // what lists of hours and days add up to
	spotted map[spotted][]stretch // what was asked of where a source or user was seen, as of the newest event, and the answers

	changed chan struct{} // closed at the next commit of events; nil while nobody waits
	lock    *os.File      // keeps a second process out

	copied  bool          // the copy of the totals is up to date
	commits uint64        // made so far
	spent   time.Duration // in them

	wake wake.Bell // rings when the queue is not empty
	full wake.Bell // rings when the queue should not wait for the interval

	damage chan error // holds what a query met in a damaged file
}

// Open opens or creates the history. A damaged file is replaced as the package says. The error
// says what to do where a person can do something. Call [History.Run] to have anything
// committed, and [History.Close] in the end.
func Open(options Options) (*History, error) {
	if options.MaxQueue <= 0 {
		options.MaxQueue = 16 << 20
	}
	if options.Zone == nil {
		options.Zone = func() *time.Location { return time.Local }
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	h := &History{
		options: options,
		log:     options.Logger,
		queued:  make(map[string]int),
		heard:   make(map[string]time.Time),
		wake:    wake.New(),
		full:    wake.New(),
		damage:  make(chan error, 1),
	}
	h.zone.Store(options.Zone())
	h.room = sync.NewCond(&h.mu)
	h.past.least, h.past.most = pastLeast, pastMost
	lock, err := lockFile(options.Path)
	if err != nil {
		return nil, err
	}
	h.lock = lock
	if err := h.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot open the history %s: %w; %s", options.Path, err, advice(err)), unlock(lock))
	}
	return h, nil
}

// open opens the file, or replaces a damaged one.
func (h *History) open() error {
	options := h.options
	copied, copyErr := readSummary(options.Path + summarySuffix)
	if copyErr != nil {
		h.log.Warn("cannot read the copy of the totals; it is made anew", "error", copyErr)
	}
	opened, known, err := openChecked(options.Path, h.now(), listBytes(options.MaxBytes), options.Progress)
	if err == nil && len(known.agents) == 0 && len(copied.agents) > 0 {
		err = errors.Join(fmt.Errorf("%w: it is empty, unlike its copy of the totals", errDamaged), opened.close())
	}
	if isDamage(err) {
		opened, known, err = h.replace(copied, err)
	}
	if err != nil {
		return err
	}
	opened.networksOnly, opened.past = h.options.NetworksOnly, &h.past
	h.store, h.known = opened, known
	h.copySummary()
	return h.boundWAL()
}

// openChecked opens a file, looks for damage and reads the summary.
func openChecked(path string, now time.Time, lists int, progress Progress) (*store, summary, error) {
	if err := finishReplacement(path); err != nil {
		return nil, summary{}, err
	}
	opened, err := openStore(path, now, lists, progress)
	if resultCode(err) == sqlitelib.SQLITE_ERROR { // a table or column of ours is not there
		err = fmt.Errorf("%w: %w", errDamaged, err)
	}
	if err != nil {
		return nil, summary{}, err
	}
	if err := opened.check(checkBudget); err != nil {
		return nil, summary{}, errors.Join(err, opened.close())
	}
	known, err := opened.load()
	if err != nil {
		return nil, summary{}, errors.Join(err, opened.close())
	}
	return opened, known, nil
}

// now returns the present time in the zone whose days the file has.
func (h *History) now() time.Time { return h.options.Now().In(h.zone.Load()) }

// Close closes the file, after Run has returned. Queries fail from then on.
func (h *History) Close() error {
	h.refuse()
	h.copySummary()
	h.mu.Lock()
	defer h.mu.Unlock()
	var err error
	if h.store != nil {
		err = h.store.close()
		h.store = nil
	}
	return errors.Join(err, unlock(h.lock))
}

// Run commits what is appended and deletes what is too old, until ctx ends. It then commits
// what waits, once, and gives up what cannot be committed with [ErrStopped]: its agents send it
// again. Run returns nil.
func (h *History) Run(ctx context.Context) error {
	upkeep := time.NewTicker(upkeepEvery)
	defer upkeep.Stop()
	var last time.Time // start of the last commit, by the monotonic clock
	for {
		select {
		case <-ctx.Done():
			h.refuse()
			h.commitGroup(ctx)
			return nil
		case <-upkeep.C:
			h.upkeep()
		case err := <-h.damage:
			h.inspect(err)
		case <-h.wake:
			h.gather(ctx, last)
			last = time.Now()
			h.commitGroup(ctx)
		}
	}
}

// Fault says why commits fail at the moment; it is empty when they do not.
func (h *History) Fault() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.fault
}

// setFault reports whether commits began or ceased to fail.
func (h *History) setFault(fault string) (changed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	changed = (h.fault == "") != (fault == "")
	h.fault = fault
	return changed
}

// Commits returns how many commits were made since the history was opened, and the time that they
// took together.
func (h *History) Commits() (commits uint64, spent time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.commits, h.spent
}

func (h *History) count(spent time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.commits++
	h.spent += spent
}

// set changes what is in use. Only the goroutine of Run changes it, so that one may read
// h.store, h.known and h.copied without the lock.
func (h *History) set(opened *store, known summary) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if known.last != h.known.last && h.changed != nil {
		close(h.changed)
		h.changed = nil
	}
	if opened != nil {
		opened.networksOnly, opened.past = h.options.NetworksOnly, &h.past
	}
	if opened != h.store {
		h.past.forget()
	}
	h.store, h.known = opened, known
}

// Heard notes when an agent was last heard. It is written with the next commit, or within
// minutes, and never waits.
func (h *History) Heard(agent string, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.heard[agent]; ok || len(h.heard) < MaxAgents {
		h.heard[agent] = at
	}
}

func (h *History) takeHeard() map[string]time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	heard := h.heard
	h.heard = make(map[string]time.Time)
	return heard
}
