package history_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
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

func (d *delivery) start() {
	o := options(d.path("history.db"))
	h, err := history.Open(o)
	if err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var runs sync.WaitGroup
	runs.Go(func() { h.Run(ctx) })
	d.stop = func() {
		cancel()
		runs.Wait()
		if err := h.Close(); err != nil {
			d.t.Error(err)
		}
	}
	d.history, d.shown, d.held = h, map[uint64]int{}, nil
	d.admission = receive.New(receive.Options{Store: d, Show: d, Now: d.now})
	synctest.Wait()
	d.check()
}

// end stops the display in order.
func (d *delivery) end() {
	d.endSession()
	d.stop()
	d.settled = nil
}

// killedFiles are what a killed display leaves.
var killedFiles = []string{"history.db", "history.db-wal", "history.db-shm", "history.db.totals"}

// kill leaves the files as they are in this moment.
func (d *delivery) kill() bool {
	was, full := d.files(), d.full
	d.end()
	d.empty()
	for name, content := range was {
		d.must(os.WriteFile(d.path(name), content, 0o600))
	}
	if full {
		d.fill()
	}
	d.start()
	return true
}

func (d *delivery) files() map[string][]byte {
	found := map[string][]byte{}
	for _, name := range killedFiles {
		if content, err := os.ReadFile(d.path(name)); err == nil {
			found[name] = content
		}
	}
	return found
}

// empty removes everything, also what fills the disk.
func (d *delivery) empty() {
	names, err := filepath.Glob(d.path("*"))
	d.must(err)
	for _, name := range names {
		d.must(os.Remove(name))
	}
	d.full = false
}

func (d *delivery) fill() {
	if !d.full {
		d.must(fill(d.path("ballast")))
	}
	d.full = true
}

func (d *delivery) makeRoom() bool {
	if !d.full {
		return false
	}
	d.must(os.Remove(d.path("ballast")))
	d.full = false
	time.Sleep(time.Minute) // what waits is tried again
	synctest.Wait()
	return true
}

// damage makes the history's file unreadable while the display is down: its copy of the totals is what is left.
func (d *delivery) damage() bool {
	if d.full {
		return false
	}
	was := d.files()
	if was["history.db.totals"] == nil || len(was["history.db"]) < 100 {
		return false
	}
	d.end()
	d.empty()
	delete(was, "history.db-wal")
	clear(was["history.db"][:100])
	for name, content := range was {
		d.must(os.WriteFile(d.path(name), content, 0o600))
	}
	d.damaged = true
	d.start()
	return true
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

// counted returns how many events the totals say, and what the marks of both epochs say.
func (d *delivery) counted() (events uint64, marks [2]uint64) {
	totals, err := d.history.Totals(d.t.Context())
	d.must(err)
	for _, total := range totals {
		events += total.Events
	}
	for i := range marks {
		if marks[i], err = d.history.Committed(d.t.Context(), "web", uint64(i+1)); err != nil {
			d.t.Fatal(err)
		}
	}
	return events, marks
}

// check wants nothing counted twice, and nothing lost that was acknowledged.
func (d *delivery) check() {
	events, marks := d.counted()
	switch {
	case events > d.lines:
		d.problem = fmt.Sprintf("%d lines were counted as %d", d.lines, events)
	case !d.damaged && d.epoch == 1 && events != marks[0]:
		d.problem = fmt.Sprintf("%d lines are counted, the mark is %d", events, marks[0])
	case !d.damaged && d.epoch == 1 && marks[0] < d.acked:
		d.problem = fmt.Sprintf("%d is acknowledged, the mark is %d", d.acked, marks[0])
	}
}

// drain lets everything arrive, and then wants every line counted once.
func (d *delivery) drain() {
	d.makeRoom()
	for d.number() {
	}
	lost := d.damaged || d.epoch > 1 // what the agent believes to be known may not be
	for range 3 {
		d.endSession()
		d.hello()
		for d.send() {
			d.check()
		}
		d.commit()
		d.settle()
		d.acknowledge()
	}
	d.check()
	if events, _ := d.counted(); events != d.lines && !lost && d.problem == "" {
		d.problem = fmt.Sprintf("%d of %d lines were counted", events, d.lines)
	}
	if d.acked != d.lines && d.problem == "" {
		d.problem = fmt.Sprintf("%d of %d lines were acknowledged", d.acked, d.lines)
	}
}

// key tells states apart.
func (d *delivery) key() string {
	events, marks := d.counted()
	var key strings.Builder
	copied, _ := os.ReadFile(d.path("history.db.totals"))
	d.mu.Lock()
	settled := len(d.settled)
	d.mu.Unlock()
	fmt.Fprint(&key, events, marks, d.full, d.history.Fault() != "", settled, d.session != nil, d.lastSeq, d.sent, d.epoch,
		d.base, d.lines, d.acked, d.kept, d.released, d.damaged, d.shown, string(copied))
	for _, one := range d.held {
		fmt.Fprint(&key, " held", one.epoch, one.first, len(one.events))
	}
	return key.String()
}

// playDelivery runs steps on a new world and says what is wrong after them, and which state it is; no key if
// the last step is impossible.
func playDelivery(t *testing.T, dir string, path []int, seen map[string]bool, blank map[string][]byte) (key, problem string) {
	synctest.Test(t, func(t *testing.T) {
		d := &delivery{t: t, dir: dir, epoch: 1, clock: time.Now()}
		d.empty()
		for name, content := range blank {
			d.must(os.WriteFile(d.path(name), content, 0o600))
		}
		d.start()
		defer func() { d.end() }()
		for i, step := range path {
			if !deliverySteps[step].do(d) && i == len(path)-1 {
				return
			}
		}
		if key = d.key(); seen != nil && !seen[key] && d.problem == "" {
			d.drain()
		}
		problem = d.problem
	})
	return key, problem
}

// deliveryBeginnings are states from which every order of steps is tried: nothing yet; an event that is
// committed and not acknowledged; one that cannot be committed, since the disk is full; totals that are newer than their copy.
var deliveryBeginnings = []string{
	"",
	"number a line, hello, send, commit",
	"number a line, number a line, hello, send, commit, settle, acknowledge, fill the disk, send, commit",
	"number a line, number a line, hello, send, commit, settle, acknowledge, copy the totals, send, commit, settle, acknowledge",
}

func deliveryPath(t *testing.T, names string) (path []int) {
	for name := range strings.SplitSeq(names, ", ") {
		for at := range deliverySteps {
			if deliverySteps[at].name == name {
				path = append(path, at)
			}
		}
	}
	if names != "" && len(path) != strings.Count(names, ", ")+1 {
		t.Fatalf("%q names a step that there is not", names)
	}
	return path
}

// TestEveryInterleaving tries every order of what can happen to a display, up to a length: whatever an agent
// sends again, whenever the display is killed and whatever its disk does, each number counts once, what is
// acknowledged is committed, and the copy of the totals doubles nothing. It runs in a process that has a
// small file system of its own.
func TestEveryInterleaving(t *testing.T) {
	t.Parallel()
	cmd := child(t, "interleavings", t.TempDir())
	cmd.Args = append(cmd.Args, "-test.run=^TestInterleavings$", "-test.v")
	if testing.Short() {
		cmd.Args = append(cmd.Args, "-test.short")
	}
	ownFileSystem(cmd)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), " states") {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

func ownFileSystem(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
}

// TestInterleavings is what the child of TestEveryInterleaving runs.
func TestInterleavings(t *testing.T) {
	if os.Getenv(roleVariable) == "" {
		return
	}
	dir := os.Getenv(pathVariable)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Fatal(errors.Join(errors.New("cannot mount a small file system"), err))
	}
	depth := 3
	if testing.Short() {
		depth = 1
	}
	seen := map[string]bool{}
	playDelivery(t, dir, nil, nil, nil)
	blank := (&delivery{dir: dir}).files() // a history with nothing in it
	var paths [][]int
	for _, begin := range deliveryBeginnings {
		paths = append(paths, deliveryPath(t, begin))
	}
	began := time.Now()
	for range depth {
		var next [][]int
		for _, path := range paths {
			for step := range deliverySteps {
				longer := append(slices.Clone(path), step)
				key, problem := playDelivery(t, dir, longer, seen, blank)
				if problem != "" {
					var names []string
					for _, step := range longer {
						names = append(names, deliverySteps[step].name)
					}
					t.Fatalf("%s, after: %s", problem, strings.Join(names, ", "))
				}
				if key != "" && !seen[key] {
					seen[key] = true
					next = append(next, longer)
				}
			}
		}
		paths = next
		t.Logf("%d states %v", len(seen), time.Since(began))
	}
}
