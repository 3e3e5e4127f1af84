package spool

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/pialert/pialert/pkg/wire"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// unsyncedDisk is a disk that nothing is synced to: this test is about order, not about power cuts.
type unsyncedDisk struct{ disk }

func (unsyncedDisk) open(path string, flag int) (file, error) { return openUnsynced(path, flag) }
func (unsyncedDisk) syncDir(string) error                     { return nil }

// delivery is everything between a log line and a display's totals, made of the real spool and of models
// of the uplink's session and of the display's history. Every step of the protocol is a step of its own, so
// that kills, changes of keys and of pairing, damage and old copies can come between any two.
type delivery struct {
	t   *testing.T
	dir string
	s   *Spool

	read    map[int]bool // lines that the spool has or had
	exempt  map[int]bool // lines that were lost with an old copy, here or there
	unknown map[int]bool // lines that an old copy of the spool has read again
	saved   map[string]string
	savedAt int

	marks   map[uint64]uint64 // of the display, by epoch
	counted map[int]int       // times that the display counted each line
	queue   []arrival         // at the display, not committed yet
	copied  *delivery         // the display's copy of its marks and totals

	session *session
	stale   *session // replaced by another one, and not done with the spool yet
	epochs  []uint64 // as they were seen, to name them
	problem string
}

// arrival is an event that a display has not committed yet, or a gap.
type arrival struct {
	epoch, number uint64
	line          int // -1 for a gap
}

// session is one connection: hello, welcome, events.
type session struct {
	stage     string
	epoch     uint64
	committed uint64 // said in the welcome
	lastSeq   uint64 // heard of by the display
	sent      uint64
}

// steps are what can happen. A step that is impossible reports false.
var steps = []step{
	{"read a line", (*delivery).readLine},
	{"hello", (*delivery).hello},
	{"welcome", (*delivery).welcome},
	{"resume", (*delivery).resume},
	{"send", (*delivery).send},
	{"display commits", (*delivery).commit},
	{"acknowledge", (*delivery).acknowledge},
	{"kill display", func(d *delivery) bool { d.queue, d.session = nil, nil; return true }},
	{"kill agent", func(d *delivery) bool { d.reopen(); return true }},
	{"change keys", func(d *delivery) bool { was := d.session; d.session = nil; return was != nil }}, // of either: both end the session
	{"dial again", func(d *delivery) bool {
		was := d.session
		d.session, d.stale = nil, was
		return was != nil && was.stage != "hello"
	}},
	{"stale resume", func(d *delivery) bool {
		if d.stale == nil || d.stale.stage != "welcome" {
			return false
		}
		d.session, d.stale = d.stale, d.session
		d.resume()
		d.session, d.stale = d.stale, nil // what it sends goes nowhere
		return true
	}},
	{"stale acknowledgement", func(d *delivery) bool {
		d.session, d.stale = d.stale, d.session
		ok := d.acknowledge()
		d.session, d.stale = d.stale, d.session
		return ok
	}},
	{"unpair", func(d *delivery) bool { return d.consumers("desk", nil) }},
	{"pair", func(d *delivery) bool { return d.consumers("", []string{"desk"}) }},
	{"copy the totals", (*delivery).copyTotals},
	{"damage the history", (*delivery).restoreTotals},
	{"damage the spool", (*delivery).damage},
	{"copy the spool", (*delivery).copySpool},
	{"restore the spool", (*delivery).restoreSpool},
}

type step struct {
	name string
	do   func(d *delivery) bool
}

const maxLines = 4

func (d *delivery) open() {
	s, err := Open(Options{Dir: d.dir, Agent: "web", storage: unsyncedDisk{}})
	if err != nil {
		d.t.Fatal(err)
	}
	d.s = s
}

func (d *delivery) reopen() {
	abandon(d.s)
	d.session, d.stale = nil, nil
	d.open()
}

// position is the next line to read.
func (d *delivery) position() int {
	n, _ := strconv.Atoi(state(d.s)["position"])
	return n
}

func (d *delivery) readLine() bool {
	at := d.position()
	if at >= maxLines {
		return false
	}
	e := event(0)
	e.User = fmt.Sprint(at)
	if err := d.s.Commit(append(eventsFrom(0, 0), e), map[string][]byte{"position": fmt.Append(nil, at+1)}); err != nil {
		d.t.Fatal(err)
	}
	d.read[at] = true
	return true
}

func (d *delivery) hello() bool {
	epoch, _, _, err := d.s.Numbering("desk")
	if err != nil || d.session != nil {
		return false
	}
	d.session = &session{stage: "hello", epoch: epoch}
	return true
}

func (d *delivery) welcome() bool {
	if d.session == nil || d.session.stage != "hello" {
		return false
	}
	d.session.stage, d.session.committed = "welcome", d.marks[d.session.epoch]
	return true
}

func (d *delivery) resume() bool {
	if d.session == nil || d.session.stage != "welcome" {
		return false
	}
	after, again, err := d.s.Resume("desk", d.session.epoch, d.session.committed)
	if err != nil || again {
		d.session = nil
		return true
	}
	d.session.stage, d.session.lastSeq, d.session.sent = "events", d.session.committed, after
	return true
}

func (d *delivery) send() bool {
	if d.session == nil || d.session.stage != "events" {
		return false
	}
	first, count, batch, err := d.s.Read(d.session.sent, 1)
	if err != nil {
		d.t.Fatal(err)
	}
	if count == 0 {
		return false
	}
	if first > d.session.lastSeq+1 {
		d.queue = append(d.queue, arrival{d.session.epoch, first - 1, -1})
		d.session.lastSeq = first - 1
	}
	var message pialertv1.Batch
	if err := proto.Unmarshal(batch, &message); err != nil {
		d.t.Fatal(err)
	}
	for _, m := range message.GetEvents() {
		number, e, err := wire.Decode(m)
		if err != nil {
			d.t.Fatal(err)
		}
		if number != d.session.lastSeq+1 {
			d.problem = fmt.Sprintf("event %d came where %d was due", number, d.session.lastSeq+1)
		}
		line, _ := strconv.Atoi(e.User)
		d.queue = append(d.queue, arrival{d.session.epoch, number, line})
		d.session.lastSeq = number
	}
	d.session.sent = d.session.lastSeq
	return true
}

func (d *delivery) commit() bool {
	some := len(d.queue) > 0
	for _, a := range d.queue {
		if a.number <= d.marks[a.epoch] {
			continue
		}
		d.marks[a.epoch] = a.number
		if a.line < 0 {
			continue
		}
		if d.counted[a.line]++; d.counted[a.line] > 1 && !d.unknown[a.line] {
			d.problem = fmt.Sprintf("line %d was counted twice", a.line)
		}
	}
	d.queue = nil
	return some
}

func (d *delivery) acknowledge() bool {
	if d.session == nil || d.session.stage != "events" {
		return false
	}
	committed := min(d.marks[d.session.epoch], d.session.lastSeq)
	if committed > d.session.sent || committed == 0 {
		return false
	}
	if err := d.s.Ack("desk", d.session.epoch, committed); err != nil {
		d.session = nil
	}
	return true
}

// consumers changes who is paired, if it is as given. The session does not know yet.
func (d *delivery) consumers(is string, names []string) bool {
	if strings.Join(d.s.Consumers(), " ") != is {
		return false
	}
	if err := d.s.SetConsumers(names); err != nil {
		d.t.Fatal(err)
	}
	return true
}

// drain lets everything arrive, and then wants every line counted once.
func (d *delivery) drain() {
	for d.readLine() {
	}
	d.session = nil
	d.consumers("", []string{"desk"})
	for range 50 {
		for d.session == nil {
			d.hello()
			d.welcome()
			d.resume()
		}
		if !d.send() {
			break
		}
		d.commit()
		d.acknowledge()
	}
	d.commit()
	for line := range d.read {
		if d.counted[line] == 0 && !d.exempt[line] && !d.unknown[line] && d.problem == "" {
			d.problem = fmt.Sprintf("line %d was lost", line)
		}
	}
}

// key tells states apart.
func (d *delivery) key() string {
	name := func(epoch uint64) int {
		at := slices.Index(d.epochs, epoch)
		if at < 0 {
			at = len(d.epochs)
			d.epochs = append(d.epochs, epoch)
		}
		return at
	}
	var key strings.Builder
	l := &d.s.ledger
	fmt.Fprint(&key, d.s.next, d.s.opened, l.cut, l.released, name(l.epoch), d.position(), d.savedAt, d.unknown, d.saved != nil)
	for _, c := range l.consumers {
		fmt.Fprint(&key, " c", name(c.epoch), c.base, c.acked)
	}
	for _, epoch := range slices.Clone(d.epochs) {
		fmt.Fprint(&key, " m", d.marks[epoch])
	}
	for _, a := range d.queue {
		fmt.Fprint(&key, " q", name(a.epoch), a.number, a.line)
	}
	for i, s := range []*session{d.session, d.stale} {
		if s == nil {
			continue
		}
		fmt.Fprint(&key, " s", i, s.stage, name(s.epoch), s.committed, s.lastSeq, s.sent)
	}
	if d.copied != nil {
		fmt.Fprint(&key, " copy", len(d.copied.counted), d.copied.counted)
	}
	fmt.Fprint(&key, d.counted, d.exempt)
	return key.String()
}

// play runs steps on a new world and returns it; nil if the last one is impossible.
func play(t *testing.T, dir string, path []int) *delivery {
	d := &delivery{
		t: t, dir: dir, read: map[int]bool{}, exempt: map[int]bool{}, unknown: map[int]bool{},
		marks: map[uint64]uint64{}, counted: map[int]int{},
	}
	d.open()
	d.consumers("", []string{"desk"})
	for i, step := range path {
		if ok := steps[step].do(d); !ok && i == len(path)-1 {
			d.end()
			return nil
		}
	}
	return d
}

func (d *delivery) end() {
	abandon(d.s)
	os.RemoveAll(d.dir)
}

// beginnings are states from which every order of steps is tried: nothing yet; an event that is committed at
// the display and not acknowledged; a spool that was restored from an old copy, behind its display, before and
// after that shows; one that lost its end; and a display that is ahead of its copy of the totals.
var beginnings = []string{
	"",
	"read a line, hello, welcome, resume, send, display commits",
	"read a line, copy the spool, read a line, hello, welcome, resume, send, send, display commits, restore the spool",
	"read a line, copy the spool, read a line, hello, welcome, resume, send, send, display commits, restore the spool, " +
		"hello, welcome, resume, read a line, read a line, hello, welcome, resume, send, display commits, send, display commits",
	"read a line, read a line, read a line, hello, welcome, resume, send, send, send, display commits, " +
		"damage the spool, damage the spool, hello, welcome, resume, read a line, kill agent",
	"read a line, copy the totals, hello, welcome, resume, send, display commits, acknowledge, read a line, send, display commits",
}

// stepsOf returns the steps of those names.
func stepsOf(t *testing.T, names string) (path []int) {
	for name := range strings.SplitSeq(names, ", ") {
		at := slices.IndexFunc(steps, func(s step) bool { return s.name == name })
		if at < 0 && name != "" {
			t.Fatalf("there is no step %q", name)
		}
		if at >= 0 {
			path = append(path, at)
		}
	}
	return path
}

// TestEveryInterleaving tries every order of the steps, up to a length: no line is counted twice, none is
// lost, and no display sees numbers out of turn.
func TestEveryInterleaving(t *testing.T) {
	t.Parallel()
	depth := 5
	if testing.Short() {
		depth = 3
	}
	root := t.TempDir()
	seen := map[string]bool{}
	paths := [][]int{}
	for _, begin := range beginnings {
		paths = append(paths, stepsOf(t, begin))
	}
	for range depth {
		var next [][]int
		for _, path := range paths {
			for step := range steps {
				longer := append(slices.Clone(path), step)
				d := play(t, filepath.Join(root, "spool"), longer)
				if d == nil {
					continue
				}
				if key := d.key(); !seen[key] {
					seen[key] = true
					next = append(next, longer)
					d.drain()
				}
				d.end()
				if d.problem != "" {
					var names []string
					for _, step := range longer {
						names = append(names, steps[step].name)
					}
					t.Fatalf("%s, after: %s", d.problem, strings.Join(names, ", "))
				}
			}
		}
		paths = next
	}
	t.Logf("%d states", len(seen))
}
