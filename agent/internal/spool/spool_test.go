package spool

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/wire"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// event returns a small event that says which one it is.
func event(n int) attack.Event {
	return attack.Event{
		Kind: attack.SSHLogin, Severity: attack.Medium, Rule: "sshd-failed-password",
		Observed: time.Unix(1_700_000_000+int64(n), 0), SourceIP: netip.MustParseAddr("192.0.2.7"),
		User: fmt.Sprintf("user-%d", n), Count: uint64(n%5 + 1),
	}
}

func eventsFrom(n, count int) []attack.Event {
	events := make([]attack.Event, count)
	for i := range events {
		events[i] = event(n + i)
	}
	return events
}

// epochOf returns the epoch that a consumer knows; 0 if it is none.
func epochOf(s *Spool, name string) uint64 {
	epoch, _, _, _ := s.Numbering(name)
	return epoch
}

func open(t *testing.T, options Options) *Spool {
	t.Helper()
	if options.Agent == "" {
		options.Agent = "web"
	}
	s, err := Open(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func commit(t *testing.T, s *Spool, events []attack.Event, state map[string][]byte) {
	t.Helper()
	if err := s.Commit(events, state); err != nil {
		t.Fatal(err)
	}
}

// users reads everything after a number and returns the user of each event by its number.
func users(t *testing.T, s *Spool, after uint64, maxBytes int) map[uint64]string {
	t.Helper()
	got := map[uint64]string{}
	for {
		first, count, batch, err := s.Read(after, maxBytes)
		if err != nil {
			t.Fatal(err)
		}
		if count == 0 {
			return got
		}
		var message pialertv1.Batch
		if err := proto.Unmarshal(batch, &message); err != nil {
			t.Fatal(err)
		}
		if len(message.GetEvents()) != count || first <= after {
			t.Fatalf("after %d: %d events from %d, said to be %d", after, len(message.GetEvents()), first, count)
		}
		for i, m := range message.GetEvents() {
			sequence, e, err := wire.Decode(m)
			if err != nil {
				t.Fatal(err)
			}
			if sequence != first+uint64(i) || m.GetAgent() != "web" {
				t.Fatalf("event %d of %q stands at %d", sequence, m.GetAgent(), first+uint64(i))
			}
			got[sequence] = e.User
		}
		after = first + uint64(count) - 1
	}
}

func wantUsers(t *testing.T, s *Spool, after uint64, want ...string) {
	t.Helper()
	expected := map[uint64]string{}
	for i, user := range want {
		expected[after+1+uint64(i)] = user
	}
	if got := users(t, s, after, 1<<16); !maps.Equal(got, expected) {
		t.Errorf("after %d: read %v, want %v", after, got, expected)
	}
}

func state(s *Spool) map[string]string {
	got := map[string]string{}
	for key, value := range s.State() {
		got[key] = string(value)
	}
	return got
}

func TestEventsAndStateSurvive(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	commit(t, s, eventsFrom(1, 2), map[string][]byte{"auth.log": []byte("10"), "memory": []byte("x")})
	commit(t, s, eventsFrom(3, 1), map[string][]byte{"auth.log": []byte("20"), "memory": nil, "empty": {}})
	wantUsers(t, s, 0, "user-1", "user-2", "user-3")
	epoch := s.Epoch()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(nil, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("commit after close: %v", err)
	}

	s = open(t, Options{Dir: dir})
	if s.Epoch() != epoch || s.First() != 1 || s.Next() != 4 {
		t.Errorf("epoch %x, first %d, next %d; want %x, 1, 4", s.Epoch(), s.First(), s.Next(), epoch)
	}
	if got, want := state(s), (map[string]string{"auth.log": "20", "empty": ""}); !maps.Equal(got, want) {
		t.Errorf("state %v, want %v", got, want)
	}
	wantUsers(t, s, 1, "user-2", "user-3")
	commit(t, s, eventsFrom(4, 1), nil)
	wantUsers(t, s, 2, "user-3", "user-4") // the third from the disk, the fourth from memory
}

func TestOneAgentAtATime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	if _, err := Open(Options{Dir: dir}); !errors.Is(err, ErrLocked) {
		t.Errorf("a second agent got %v", err)
	}
	s.Close()
	open(t, Options{Dir: dir})
}

func TestChanged(t *testing.T) {
	t.Parallel()
	s := open(t, Options{Dir: t.TempDir()})
	changed := s.Changed()
	select {
	case <-changed:
		t.Error("changed before anything was committed")
	default:
	}
	commit(t, s, eventsFrom(1, 1), nil)
	select {
	case <-changed:
	case <-t.Context().Done():
	}
}

// What a consumer says that it has when it comes back is kept for it no longer, as if it had acknowledged
// it: the acknowledgement may have been lost with the connection.
func TestResumeReleases(t *testing.T) {
	t.Parallel()
	s := open(t, Options{Dir: t.TempDir(), MaxBytes: 64 << 20})
	s.segmentBytes = 2 << 10
	if err := s.SetConsumers([]string{"desk"}); err != nil {
		t.Fatal(err)
	}
	for n := range 200 {
		commit(t, s, eventsFrom(1+n, 1), nil)
	}
	if after, again, err := s.Resume("desk", epochOf(s, "desk"), 150); err != nil || again || after != 150 {
		t.Errorf("it goes on after %d (%t, %v), want 150", after, again, err)
	}
	if s.First() == 1 || s.First() > 151 || s.Stats().Waiting != 50 {
		t.Errorf("first %d, waiting %d; want one between 2 and 151, and 50", s.First(), s.Stats().Waiting)
	}
}

// A consumer that keeps up, one that lags and one that comes later each get every event once.
func TestConsumersReadOnTheirOwn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, Options{Dir: dir, MaxBytes: 64 << 20})
	s.segmentBytes = 2 << 10
	if err := s.SetConsumers([]string{"desk", "shelf"}); err != nil {
		t.Fatal(err)
	}
	for n := range 200 {
		commit(t, s, eventsFrom(1+n, 1), nil)
	}
	if err := s.Ack("desk", epochOf(s, "desk"), 200); err != nil {
		t.Fatal(err)
	}
	if s.First() != 1 || s.Stats().Waiting != 200 {
		t.Errorf("events that the shelf waits for: %+v", s.Stats())
	}
	if err := s.Ack("shelf", epochOf(s, "shelf"), 150); err != nil {
		t.Fatal(err)
	}
	if s.First() == 1 || s.First() > 151 {
		t.Errorf("first %d, want one between 2 and 151", s.First())
	}
	if got := users(t, s, 150, 300); len(got) != 50 || got[151] != "user-151" || got[200] != "user-200" {
		t.Errorf("the shelf read %v", got)
	}
	if err := s.SetConsumers([]string{"desk", "hall", "shelf"}); err != nil {
		t.Fatal(err)
	}
	if after, again, err := s.Resume("hall", epochOf(s, "hall"), 0); err != nil || again || after != 150 {
		t.Errorf("a new consumer begins after %d (%t, %v), want 150", after, again, err)
	}
	s.Close()
	s = open(t, Options{Dir: dir})
	if after, again, err := s.Resume("hall", epochOf(s, "hall"), 0); err != nil || again || after != 150 {
		t.Errorf("the new consumer goes on after %d (%t, %v), want 150", after, again, err)
	}
	if err := s.SetConsumers([]string{"desk"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Ack("hall", epochOf(s, "hall"), 151); !errors.Is(err, ErrUnknown) {
		t.Errorf("an unpaired consumer acknowledged: %v", err)
	}
	if len(s.segments) != keptSegments {
		t.Errorf("%d segments are kept for nobody, want %d", len(s.segments), keptSegments)
	}
}

func TestConsumersAreNamedInOrderAndOnce(t *testing.T) {
	t.Parallel()
	s := open(t, Options{Dir: t.TempDir()})
	for _, names := range [][]string{{"desk", "attic", "desk"}, {"desk", "attic"}} {
		if err := s.SetConsumers(names); err != nil {
			t.Fatal(err)
		}
		if got := s.Consumers(); !slices.Equal(got, []string{"attic", "desk"}) {
			t.Errorf("%q are %q", names, got)
		}
	}
}

func TestAckOfTheFuture(t *testing.T) {
	t.Parallel()
	s := open(t, Options{Dir: t.TempDir()})
	s.SetConsumers([]string{"desk"})
	commit(t, s, eventsFrom(1, 3), nil)
	if err := s.Ack("desk", epochOf(s, "desk"), 4); !errors.Is(err, ErrFuture) {
		t.Errorf("acknowledging 4 of 3: %v", err)
	}
	if err := s.Ack("desk", epochOf(s, "desk"), 3); err != nil {
		t.Error(err)
	}
	if err := s.Ack("desk", epochOf(s, "desk"), 2); err != nil || s.Stats().Acked["desk"] != 3 {
		t.Errorf("an old acknowledgement: %v, %v", err, s.Stats().Acked)
	}
}

// Before a consumer is paired everything is kept, and the first one gets it all.
// A consumer that took events and then was paired anew, with this agent under another name, knows
// of none: they count under the former name already.
func TestConsumerThatForgotTheAgentsName(t *testing.T) {
	t.Parallel()
	s := open(t, Options{Dir: t.TempDir()})
	if err := s.SetConsumers([]string{"desk"}); err != nil {
		t.Fatal(err)
	}
	commit(t, s, eventsFrom(1, 5), nil)
	if err := s.Ack("desk", epochOf(s, "desk"), 3); err != nil {
		t.Fatal(err)
	}
	if after, again, err := s.Resume("desk", epochOf(s, "desk"), 0); err != nil || again || after != 3 {
		t.Errorf("it goes on after %d (%t, %v), want 3", after, again, err)
	}
	if after, _, err := s.Resume("desk", epochOf(s, "desk"), 2); err != nil || after != 2 {
		t.Errorf("one that lost its last commit goes on after %d (%v), want 2", after, err)
	}
}

func TestFirstConsumerGetsWhatWasKept(t *testing.T) {
	t.Parallel()
	s := open(t, Options{Dir: t.TempDir()})
	commit(t, s, eventsFrom(1, 2), nil)
	s.SetConsumers([]string{"desk"})
	if epoch, first, next, err := s.Numbering("desk"); err != nil || epoch != s.Epoch() || first != 1 || next != 3 {
		t.Errorf("greeting %x, %d, %d, %v", epoch, first, next, err)
	}
	if after, _, err := s.Resume("desk", epochOf(s, "desk"), 0); err != nil || after != 0 {
		t.Errorf("begins after %d, %v", after, err)
	}
	if err := s.Ack("desk", epochOf(s, "desk"), 2); err != nil {
		t.Fatal(err)
	}
	// Unpaired and paired anew, it does not get them again even if it has forgotten them.
	s.SetConsumers(nil)
	s.SetConsumers([]string{"desk"})
	if after, _, err := s.Resume("desk", epochOf(s, "desk"), 0); err != nil || after != 2 {
		t.Errorf("begins anew after %d, %v", after, err)
	}
}

// A spool restored from an old copy would give numbers again that the consumer has: the consumer
// gets a new epoch, in which what was committed since the restart is not taken for known.
func TestRestoredFromAnOldCopy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	s.SetConsumers([]string{"desk", "shelf"})
	commit(t, s, eventsFrom(1, 3), nil)
	s.Close()
	s = open(t, Options{Dir: dir})
	commit(t, s, eventsFrom(4, 2), nil) // numbers that the consumer has with other content
	old, _, _, _ := s.Numbering("desk")
	if _, again, err := s.Resume("desk", epochOf(s, "desk"), 9); err != nil || !again {
		t.Fatalf("a consumer from the future: %t, %v", again, err)
	}
	epoch, first, next, err := s.Numbering("desk")
	if err != nil || epoch == old || first != 4 || next != 6 {
		t.Errorf("greeting %x after %x, %d, %d, %v", epoch, old, first, next, err)
	}
	if after, again, err := s.Resume("desk", epochOf(s, "desk"), 0); err != nil || again || after != 3 {
		t.Errorf("begins after %d (%t, %v), want 3", after, again, err)
	}
	if other, _, _, _ := s.Numbering("shelf"); other != old {
		t.Error("the other consumer lost its epoch")
	}
	s.Close()
	s = open(t, Options{Dir: dir})
	if got, _, _, _ := s.Numbering("desk"); got != epoch {
		t.Errorf("epoch %x became %x in a restart", epoch, got)
	}
}

// Where nothing is left but a file that was set aside, numbers begin anew, and a consumer that has more of them is ahead of an
// old copy as well.
func TestASpoolBesideADamagedFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	damaged := damagedPrefix + "20261120T120000Z-" + filepath.Base(segmentPath(dir, 1, 2))
	if err := os.WriteFile(filepath.Join(dir, damaged), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, Options{Dir: dir})
	s.SetConsumers([]string{"desk"})
	commit(t, s, eventsFrom(1, 3), nil)
	if _, again, err := s.Resume("desk", epochOf(s, "desk"), 9); err != nil || !again {
		t.Errorf("a consumer from the future: %t, %v", again, err)
	}
}

// Events outside their bounds would make the consumer cut the agent off, so they are left out.
func TestInvalidEventsAreLeftOut(t *testing.T) {
	t.Parallel()
	s := open(t, Options{Dir: t.TempDir()})
	events := eventsFrom(1, 5)
	events[0].Count = 0
	events[1].Rule = "\xff" // a string in the message, so it has to be UTF-8
	events[3].Detail = attack.HTTP{Status: 1000}
	events[4].Detail = attack.Flood{Phase: attack.PhaseStart}
	commit(t, s, events, nil)
	wantUsers(t, s, 0, "user-3")
	if got := s.Stats().Refused; got != 4 {
		t.Errorf("%d events refused, want 4", got)
	}
}

// The memory that one large commit takes is not kept for the small ones that follow.
func TestALargeCommitsMemoryIsGivenBack(t *testing.T) {
	t.Parallel()
	s := open(t, Options{Dir: t.TempDir()})
	commit(t, s, eventsFrom(1, 1), map[string][]byte{"position": make([]byte, keptBuffer/2)})
	if cap(s.buf) == 0 {
		t.Error("a buffer that is small enough is not kept")
	}
	for name, large := range map[string]func(){
		"a large state": func() { commit(t, s, nil, map[string][]byte{"position": make([]byte, 2*keptBuffer)}) },
		"many events":   func() { commit(t, s, eventsFrom(2, keptBuffer/100), nil) }, // each buffer alone may keep them
	} {
		large()
		if kept := cap(s.buf) + cap(s.batch); kept > keptBuffer {
			t.Errorf("behind %s %d bytes are kept, at most %d should be", name, kept, keptBuffer)
		}
	}
}

func TestTooMuchAtOnce(t *testing.T) {
	t.Parallel()
	s := open(t, Options{Dir: t.TempDir()})
	if err := s.Commit(eventsFrom(1, 1), map[string][]byte{"k": make([]byte, maxFrame)}); err == nil {
		t.Error("33 MiB were committed at once")
	}
	commit(t, s, eventsFrom(1, 1), nil)
	wantUsers(t, s, 0, "user-1")
}

// A session that began before the numbering did anew has nothing to say about the new one.
func TestStaleEpoch(t *testing.T) {
	t.Parallel()
	s := open(t, Options{Dir: t.TempDir()})
	s.SetConsumers([]string{"desk"})
	commit(t, s, eventsFrom(1, 3), nil)
	epoch := epochOf(s, "desk")
	if after, again, err := s.Resume("desk", epoch+1, 2); err != nil || !again || after != 0 {
		t.Errorf("went on after %d (%t, %v) with another epoch's number", after, again, err)
	}
	if err := s.Ack("desk", epoch+1, 2); !errors.Is(err, ErrFuture) || s.Stats().Acked["desk"] != 0 {
		t.Errorf("took another epoch's acknowledgement: %v, %v", err, s.Stats().Acked)
	}
	if epochOf(s, "desk") != epoch {
		t.Error("that began a new epoch")
	}
}

// A new segment repeats the state. A large one is not copied again and again for it: an agent that catches up is
// short of memory.
func TestALargeStateIsCopiedOnce(t *testing.T) { // not parallel: it measures memory
	s, err := Open(Options{Dir: t.TempDir(), Agent: "web", storage: unsyncedDisk{}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const keys, size = 10_000, 800
	large := map[string][]byte{}
	for n := range keys {
		large[fmt.Sprint("source ", n)] = make([]byte, size)
	}
	if err := s.Commit(nil, large); err != nil {
		t.Fatal(err)
	}
	s.file.Close()
	s.file = nil // the next commit begins a segment
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	if err := s.Commit(nil, map[string][]byte{"source 1": []byte("moved")}); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	// Growing bit by bit takes five times the state. Under the race detector slices.Grow allocates twice.
	if took := after.TotalAlloc - before.TotalAlloc; took > keys*size*3 {
		t.Errorf("%d bytes were allocated for a state of %d", took, keys*size)
	}
}
