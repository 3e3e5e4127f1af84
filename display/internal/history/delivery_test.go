package history_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/display/internal/receive"
	"github.com/pialert/pialert/pkg/attack"
)

// delivery is everything between an agent's numbers and a display's totals, made of the real admission and
// the real history, on a small file system of its own, and of a model of an agent that does whatever one may.
// The other half is TestEveryInterleaving of the agent's spool, whose model of a display does what this one
// is seen to do: it counts the numbers above its mark, and the mark goes where the totals go.
type delivery struct {
	t    *testing.T
	dir  string
	full bool

	history   *history.History
	stop      func()
	admission *receive.Admission
	clock     time.Time
	held      []handed         // by the admission, not with the history yet
	settled   []func()         // what the history answered, not told to the admission yet
	shown     map[uint64]int   // in the life of the process, by epoch and number
	mu        sync.Mutex       // guards settled and shown
	session   *receive.Session // nil while there is none
	lastSeq   uint64           // of the session, as the agent sees it
	sent      uint64

	epoch    uint64
	base     uint64 // numbers up to this one are of a former epoch
	lines    uint64 // numbered so far: line n has number n
	acked    uint64
	kept     uint64 // of acked, what the agent knows after a kill
	released uint64 // events up to this one are not kept any more
	damaged  bool   // what was acknowledged since the last copy of the totals may be lost
	problem  string
}

// handed is a batch or a gap on its way to the history.
type handed struct {
	epoch, first uint64
	events       []attack.Event // none: a gap up to first
	done         func(uint64, error)
}

// The store that the admission has: a display may be killed before the history has what it is given.

func (d *delivery) Committed(ctx context.Context, agent string, epoch uint64) (uint64, error) {
	return d.history.Committed(ctx, agent, epoch)
}

func (d *delivery) Append(_ context.Context, _ string, epoch, first uint64, events []attack.Event, done func(uint64, error)) error {
	d.held = append(d.held, handed{epoch, first, events, done})
	return nil
}

func (d *delivery) Skip(_ context.Context, _ string, epoch, through, _ uint64, done func(uint64, error)) error {
	d.held = append(d.held, handed{epoch, through, nil, done})
	return nil
}

func (d *delivery) Heard(string, time.Time) {}

func (d *delivery) Show(_ string, events []attack.Event) {
	for i := range events {
		n, _ := strconv.ParseUint(events[i].User, 10, 64)
		if d.shown[n]++; d.shown[n] > 1 {
			d.problem = fmt.Sprintf("line %d was shown twice", n)
		}
	}
}

// now is a clock for limits in time, which are another test's: it gives everybody time.
func (d *delivery) now() time.Time {
	d.clock = d.clock.Add(10 * time.Minute)
	return d.clock
}

func (d *delivery) path(name string) string { return filepath.Join(d.dir, name) }

// deliverySteps are what can happen. A step that is impossible reports false.
var deliverySteps = []struct {
	name string
	do   func(d *delivery) bool
}{
	{"number a line", (*delivery).number},
	{"hello", (*delivery).hello},
	{"send", (*delivery).send},
	{"end the session", (*delivery).endSession}, // by a cut, a kill of the agent, a change of either key
	{"commit", (*delivery).commit},
	{"settle", (*delivery).settle},
	{"acknowledge", (*delivery).acknowledge},
	{"kill display", (*delivery).kill},
	{"stop display", func(d *delivery) bool { d.end(); d.start(); return true }},
	{"kill agent", func(d *delivery) bool {
		was := d.acked
		d.endSession()
		d.acked = d.kept
		return was != d.kept
	}},
	{"fill the disk", func(d *delivery) bool { was := d.full; d.fill(); return !was }},
	{"make room", (*delivery).makeRoom},
	{"copy the totals", func(d *delivery) bool { time.Sleep(10 * time.Minute); synctest.Wait(); return true }},
	{"damage the history", (*delivery).damage},
	{"begin an epoch", (*delivery).beginEpoch},
	{"release what is acknowledged", func(d *delivery) bool { was := d.released; d.released = d.acked; return was != d.acked }},
}

const mostLines = 4

func (d *delivery) number() bool {
	if d.lines >= mostLines {
		return false
	}
	d.lines++
	d.kept = d.acked // its frame says what is acknowledged
	return true
}

func (d *delivery) hello() bool {
	if d.session != nil {
		return false
	}
	session, err := d.admission.Open(d.t.Context(), "web")
	if err != nil {
		d.t.Fatal(err)
	}
	committed, err := session.Hello(receive.Hello{Protocol: receive.Protocol, Epoch: d.epoch})
	if err != nil {
		d.t.Fatal(err)
	}
	if committed > d.lines {
		d.problem = fmt.Sprintf("the display knows number %d, %d were given", committed, d.lines)
	}
	d.session, d.lastSeq = session, committed
	d.acked = max(d.acked, committed)
	if d.sent = committed; committed == 0 {
		d.sent = d.acked
	}
	d.sent = max(d.sent, d.base)
	return true
}

func (d *delivery) send() bool {
	if d.session == nil || d.sent >= d.lines {
		return false
	}
	n := max(d.sent, d.released) + 1
	if n > d.lines {
		return false
	}
	if n > d.lastSeq+1 {
		d.must(d.session.Gap(n-1, 0))
	}
	d.must(d.session.Batch(1, func(int) (uint64, attack.Event, error) {
		e := event(int(n))
		e.User = fmt.Sprint(n)
		return n, e, nil
	}))
	d.sent, d.lastSeq = n, n
	return true
}

func (d *delivery) must(err error) {
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *delivery) endSession() bool {
	if d.session == nil {
		return false
	}
	d.session.Close(nil)
	d.session = nil
	return true
}

// commit gives the history what the admission handed on, and waits until it is committed or fails.
func (d *delivery) commit() bool {
	some := len(d.held) > 0
	for _, one := range d.held {
		answer := func(committed uint64, err error) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.settled = append(d.settled, func() { one.done(committed, err) })
		}
		if len(one.events) > 0 {
			d.must(d.history.Append(d.t.Context(), "web", one.epoch, one.first, one.events, answer))
		} else {
			d.must(d.history.Skip(d.t.Context(), "web", one.epoch, one.first, 0, answer))
		}
	}
	d.held = nil
	synctest.Wait()
	return some
}

func (d *delivery) settle() bool {
	d.mu.Lock()
	settled := d.settled
	d.settled = nil
	d.mu.Unlock()
	for _, tell := range settled {
		tell()
	}
	return len(settled) > 0
}

func (d *delivery) acknowledge() bool {
	if d.session == nil {
		return false
	}
	committed, ok := d.session.Acknowledgement()
	if ok && committed > d.sent {
		d.problem = fmt.Sprintf("number %d is acknowledged, %d was sent last", committed, d.sent)
	}
	d.acked = max(d.acked, committed)
	return ok
}

// beginEpoch is what an agent does whose spool was restored: what it knows of the past counts as known.
func (d *delivery) beginEpoch() bool {
	if d.epoch > 1 {
		return false
	}
	d.endSession()
	d.epoch++
	// Where numbers go back as well, other lines get them. Here they go on: a number names a line then.
	d.base, d.acked, d.kept = d.lines, d.lines, d.lines
	return true
}
