package history_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

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
