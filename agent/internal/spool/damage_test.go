package spool

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// damageable writes a spool of four commits, two events and a position in each, into one segment.
// It returns where each frame ends.
func damageable(t *testing.T, dir string) (path string, ends []int64) {
	t.Helper()
	s := open(t, Options{Dir: dir})
	for n := range 4 {
		commit(t, s, eventsFrom(1+2*n, 2), map[string][]byte{"auth.log": fmt.Append(nil, n), fmt.Sprint("k", n): []byte("v")})
		ends = append(ends, s.segments[0].size)
	}
	path = s.segments[0].path
	// Not closed in order: closing would add a frame.
	abandon(s)
	s.closed = true
	return path, ends
}

func aside(t *testing.T, dir string) (names []string) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, damagedPrefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// unsynced writes without syncing, where a test opens a spool for each byte.
type unsynced struct{ *os.File }

func (unsynced) Sync() error { return nil }

func openUnsynced(path string, flag int) (file, error) {
	f, err := os.OpenFile(path, flag, 0o600)
	return unsynced{f}, err
}

// Wherever a spool is cut short, whole commits before the cut are there, and it goes on.
func TestCutAtEveryByte(t *testing.T) {
	t.Parallel()
	path, ends := damageable(t, t.TempDir())
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for length := range len(data) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), data[:length], 0o600); err != nil {
			t.Fatal(err)
		}
		whole := 0
		for whole < len(ends) && ends[whole] <= int64(length) {
			whole++
		}
		s, err := Open(Options{Dir: dir, Agent: "web", storage: opener(openUnsynced)})
		if err != nil {
			t.Fatalf("cut at %d: %v", length, err)
		}
		if s.Next() != uint64(2*whole+1) {
			t.Fatalf("cut at %d: next is %d after %d whole commits", length, s.Next(), whole)
		}
		if got := state(s); whole > 0 && (got["auth.log"] != fmt.Sprint(whole-1) || len(got) != whole+1) {
			t.Fatalf("cut at %d: state %v after %d whole commits", length, got, whole)
		}
		if len(aside(t, dir)) > 0 {
			t.Fatalf("cut at %d: an unfinished commit was set aside", length)
		}
		commit(t, s, eventsFrom(100, 1), nil)
		s.Close()
		s, err = Open(Options{Dir: dir, Agent: "web", storage: opener(openUnsynced)})
		if err != nil {
			t.Fatal(err)
		}
		got := users(t, s, 0, 64)
		if len(got) != 2*whole+1 || got[uint64(2*whole+1)] != "user-100" {
			t.Fatalf("cut at %d: read %v", length, got)
		}
		s.Close()
	}
}

// Blocks that were allocated and not written when the machine stopped are an unfinished commit, and no damage.
func TestEmptyBlocksAtTheEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, _ := damageable(t, dir)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(make([]byte, 4096)); err != nil {
		t.Fatal(err)
	}
	f.Close()
	s := open(t, Options{Dir: dir})
	if lost, _ := s.Dropped(); s.Next() != 9 || lost != 0 || len(aside(t, dir)) != 0 {
		t.Errorf("next is %d, %d events are lost, %d files are set aside; want 9, none and none", s.Next(), lost, len(aside(t, dir)))
	}
}

// A payload that goes on behind its last field is none, whatever its checksum says.
func TestAPayloadWithMoreBehindIt(t *testing.T) {
	t.Parallel()
	whole := frame{first: 1, count: 1}
	batch, err := appendEvent(nil, 1, "web", new(event(1)))
	if err != nil {
		t.Fatal(err)
	}
	for name, behind := range map[string]*frame{
		"the last event": {first: 1, count: 1, batch: append(slices.Clone(batch), eventTag)},
		"nothing":        {first: 1, count: 1, batch: batch},
	} {
		err := whole.decodePayload(behind.appendPayload(nil))
		if (err == nil) != (name == "nothing") {
			t.Errorf("a byte behind %s: %v", name, err)
		}
	}
	payload := (&frame{first: 1}).appendPayload(nil)
	if err := whole.decodePayload(append(payload, eventTag)); err == nil {
		t.Error("a byte behind the last field is taken")
	}
}

// Whichever byte of a spool is damaged, only the commit that it stands in is lost: the others are
// read, the loss is counted, and the damaged file is set aside once.
func TestDamageToEveryByte(t *testing.T) {
	t.Parallel()
	path, ends := damageable(t, t.TempDir())
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := range data {
		dir := t.TempDir()
		bad := bytes.Clone(data)
		bad[at] ^= 1 << (at % 8)
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), bad, 0o600); err != nil {
			t.Fatal(err)
		}
		hit := slices.IndexFunc(ends, func(end int64) bool { return int64(at) < end })
		var log bytes.Buffer
		options := Options{Dir: dir, Agent: "web", storage: opener(openUnsynced), Logger: slog.New(slog.NewTextHandler(&log, nil))}
		s, err := Open(options)
		if err != nil {
			t.Fatalf("byte %d: %v", at, err)
		}
		want := map[uint64]string{}
		for n := 1; n <= 8; n++ {
			if (n-1)/2 != hit {
				want[uint64(n)] = fmt.Sprint("user-", n)
			}
		}
		if got := users(t, s, 0, 64); !maps.Equal(got, want) {
			t.Fatalf("byte %d of commit %d: read %v", at, hit, got)
		}
		last := hit == len(ends)-1
		var lost uint64
		if !last { // that the last numbers were given is not known
			lost = 2
		}
		if events, _ := s.Dropped(); events != lost {
			t.Fatalf("byte %d of commit %d: %d events are counted as lost, want %d", at, hit, events, lost)
		}
		// A length that was made too large looks like a commit that was under way.
		if files := aside(t, dir); !last && (len(files) != 1 || !strings.Contains(log.String(), files[0])) {
			t.Fatalf("byte %d: set aside %v, log %s", at, files, &log)
		}
		commit(t, s, eventsFrom(100, 1), nil)
		s.Close()

		s, err = Open(options)
		if err != nil {
			t.Fatal(err)
		}
		if !last {
			want[9] = "user-100"
		} else {
			want[7] = "user-100"
		}
		if got := users(t, s, 0, 64); !maps.Equal(got, want) {
			t.Fatalf("byte %d of commit %d: read %v after going on", at, hit, got)
		}
		if events, _ := s.Dropped(); events != lost || len(aside(t, dir)) > 1 {
			t.Fatalf("byte %d: opened again, %d events are lost, %v set aside", at, events, aside(t, dir))
		}
		s.Close()
	}
}

// What was lost of a number that consumers had already is no loss.
func TestDamageToWhatWasDelivered(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	s.SetConsumers([]string{"desk"})
	for n := range 4 {
		commit(t, s, eventsFrom(1+n, 1), nil)
	}
	s.Ack("desk", epochOf(s, "desk"), 4)
	path := s.segments[0].path
	frames := s.segments[0].marks[0].offset
	s.Close()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(data, []byte("user-2"))
	if at < int(frames) {
		t.Fatal("the second event is not in the segment")
	}
	data[at] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, Options{Dir: dir})
	if events, _ := s.Dropped(); events != 0 || s.Next() != 5 {
		t.Errorf("%d events are counted as lost, next is %d", events, s.Next())
	}
}

// Events that get damaged while the spool is open are passed over, told by a jump of the numbers,
// and counted.
func TestDamageWhileOpen(t *testing.T) {
	t.Parallel()
	s := open(t, Options{Dir: t.TempDir()})
	for n := range 4 {
		commit(t, s, eventsFrom(1+n, 1), nil)
	}
	s.recent = recent{}
	path := s.segments[0].path
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("USER"), int64(bytes.Index(data, []byte("user-3")))); err != nil {
		t.Fatal(err)
	}
	want := map[uint64]string{1: "user-1", 2: "user-2", 4: "user-4"}
	if got := users(t, s, 0, 1<<16); !maps.Equal(got, want) {
		t.Errorf("read %v, want %v", got, want)
	}
	commit(t, s, nil, nil)
	if events, attempts := s.Dropped(); events != 1 || attempts != 0 {
		t.Errorf("%d events are counted as lost, want 1; of its attempts, which nobody knows, %d", events, attempts)
	}
	users(t, s, 0, 1<<16)
	commit(t, s, nil, nil)
	if events, _ := s.Dropped(); events != 1 {
		t.Errorf("read again, %d events are counted as lost", events)
	}
}

// A segment that somebody deleted is passed over as well.
func TestDeletedWhileOpen(t *testing.T) {
	t.Parallel()
	s := open(t, Options{Dir: t.TempDir()})
	s.segmentBytes = 1 // a segment for each commit
	for n := range 4 {
		commit(t, s, eventsFrom(1+n, 1), nil)
	}
	s.recent = recent{}
	if err := os.Remove(s.segments[1].path); err != nil {
		t.Fatal(err)
	}
	want := map[uint64]string{1: "user-1", 3: "user-3", 4: "user-4"}
	if got := users(t, s, 0, 1<<16); !maps.Equal(got, want) {
		t.Errorf("read %v, want %v", got, want)
	}
	commit(t, s, nil, nil)
	if events, _ := s.Dropped(); events != 1 {
		t.Errorf("%d events are counted as lost, want 1", events)
	}
}

// A segment that cannot be read at all is passed over, and the next one is read from its first event:
// nothing of that is taken for lost, also when the damaged segment is the first that is asked for.
func TestAWholeSegmentIsDamaged(t *testing.T) {
	t.Parallel()
	s := open(t, Options{Dir: t.TempDir()})
	s.segmentBytes = 1 // a segment for each commit
	for n := range 3 {
		commit(t, s, eventsFrom(1+3*n, 3), nil)
	}
	s.recent = recent{}
	path := s.segments[1].path
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, make([]byte, info.Size()), 0o600); err != nil {
		t.Fatal(err)
	}
	for after := range uint64(7) {
		want := map[uint64]string{7: "user-7", 8: "user-8", 9: "user-9"}
		for n := after + 1; n <= 3; n++ {
			want[n] = fmt.Sprint("user-", n)
		}
		if got := users(t, s, after, 1<<16); !maps.Equal(got, want) {
			t.Errorf("after %d: read %v, want %v", after, got, want)
		}
	}
	commit(t, s, nil, nil)
	if events, _ := s.Dropped(); events != 3 {
		t.Errorf("%d events are counted as lost, want 3", events)
	}
}

// The state at the beginning of a segment is the whole state, and where it is damaged, the
// segment before has it.
func TestStateIsWholeInEachSegment(t *testing.T) {
	t.Parallel()
	for _, damaged := range []string{"deleted", "whole"} {
		t.Run(damaged, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := open(t, Options{Dir: dir})
			commit(t, s, nil, map[string][]byte{"kept": []byte("1"), "gone": []byte("1"), "mark-old": {}})
			commit(t, s, nil, map[string][]byte{"gone": nil, "mark-deleted": {}})
			s.segmentBytes = 1
			commit(t, s, nil, map[string][]byte{"mark-whole": {}})
			s.segmentBytes = 1 << 20
			commit(t, s, nil, map[string][]byte{"last": []byte("1")})
			path := s.segments[0].path
			if damaged == "whole" {
				path = s.segments[1].path
			}
			s.Close()
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			data[bytes.Index(data, []byte("mark-"+damaged))] ^= 1
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			s = open(t, Options{Dir: dir})
			got := state(s)
			if _, ok := got["gone"]; ok || got["kept"] != "1" || got["last"] != "1" {
				t.Errorf("state %v", got)
			}
		})
	}
}

// The end of the spool is gone, and the consumer has more than we know: as the lines are read
// again they get the same numbers, so it is caught up with in the old epoch.
func TestCutOffEndIsCaughtUpWith(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, ends := damageable(t, dir)
	if err := os.Truncate(path, ends[2]+20); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s := open(t, Options{Dir: dir, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	s.SetConsumers([]string{"desk"})
	epoch, _, next, err := s.Numbering("desk")
	if err != nil || next != 7 {
		t.Fatalf("next %d, %v", next, err)
	}
	const told = `msg="a consumer is ahead: lines are read again until it is caught up with" consumer=desk committed=8 next=7`
	for _, committed := range []uint64{6, 8} {
		after, again, err := s.Resume("desk", epochOf(s, "desk"), committed)
		if err != nil || again || after != committed {
			t.Errorf("goes on after %d (%t, %v), want %d", after, again, err, committed)
		}
		if err := s.Ack("desk", epoch, committed); err != nil {
			t.Errorf("what it has already is no news: %v", err)
		}
		if strings.Contains(log.String(), "a consumer is ahead") != (committed == 8) || committed == 8 && !strings.Contains(log.String(), told) {
			t.Errorf("of a consumer that has %d the log says:\n%s", committed, &log)
		}
	}
	const after = 8
	commit(t, s, eventsFrom(7, 3), nil)
	wantUsers(t, s, after, "user-9")
	if got, _, _, _ := s.Numbering("desk"); got != epoch {
		t.Error("the epoch changed")
	}
	if err := s.Ack("desk", epochOf(s, "desk"), 9); err != nil {
		t.Error(err)
	}
	if _, again, err := s.Resume("desk", epochOf(s, "desk"), 1<<60); err != nil || !again {
		t.Errorf("an absurd number: %t, %v", again, err)
	}
}

func TestDamagedFilesAreBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for n := range maxDamaged + 5 {
		name := fmt.Sprintf("%s20260101T0000%02dZ-x.seg", damagedPrefix, n)
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	open(t, Options{Dir: dir})
	left := aside(t, dir)
	if len(left) != maxDamaged || !strings.Contains(left[0], "T000005Z") {
		t.Errorf("left: %v", left)
	}
}

// An event is there as a whole or not at all.
func TestEventBytes(t *testing.T) {
	t.Parallel()
	whole := []byte{eventTag, 3, 'a', 'b', 'c'}
	for cut := range whole {
		if size := eventBytes(whole[:cut]); size != 0 {
			t.Errorf("%d bytes of %d are an event of %d", cut, len(whole), size)
		}
	}
	if size := eventBytes(append(whole, whole...)); size != len(whole) {
		t.Errorf("the first event has %d bytes, want %d", size, len(whole))
	}
	if size := eventBytes(append([]byte{eventTag + 8}, whole[1:]...)); size != 0 {
		t.Errorf("another field is an event of %d", size)
	}
}

// What an attacker writes cannot pass for a frame, even where the frame around it is damaged.
func TestForgedFrameInAnEvent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	forged := appendFrame(nil, 4711, &frame{first: 2, changes: []change{{"auth.log", []byte("forged")}}})
	e := event(1)
	e.User = string(forged)
	commit(t, s, append(eventsFrom(1, 1), e), map[string][]byte{"auth.log": []byte("true")})
	commit(t, s, eventsFrom(3, 1), nil)
	path := s.segments[0].path
	s.Close()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(data, forged) {
		t.Fatal("the forged frame is not in the file")
	}
	data[headerBytes] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, Options{Dir: dir})
	if got := state(s); got["auth.log"] == "forged" || s.Next() != 4 {
		t.Errorf("state %v, next %d", got, s.Next())
	}
}

func FuzzFrame(f *testing.F) {
	f.Add(appendFrame(nil, 7, &frame{first: 1}), uint64(7))
	whole := frame{first: 3, whole: true, changes: []change{{"a", []byte("b")}, {"c", nil}},
		ledger: ledger{epoch: 9, consumers: []consumer{{"desk", 1, 2, 3}}, gaps: []gap{{1, 2, 3}}}}
	whole.batch, _ = appendEvent(nil, 3, "web", new(event(1)))
	whole.count = 1
	f.Add(appendFrame(nil, 7, &whole), uint64(7))
	f.Fuzz(func(t *testing.T, data []byte, salt uint64) {
		end, damaged := scan(data, salt, func(f *frame, offset, size int) {
			again, n, err := parseFrame(appendFrame(nil, salt, f), salt)
			if err != nil || again.first != f.first || again.count != f.count || !bytes.Equal(again.batch, f.batch) ||
				len(again.changes) != len(f.changes) || len(again.ledger.consumers) != len(f.ledger.consumers) {
				t.Errorf("%+v became %+v of %d bytes, %v", f, again, n, err)
			}
		})
		if end < 0 || end > len(data) || damaged > end {
			t.Errorf("end %d, damaged %d of %d", end, damaged, len(data))
		}
		torn(data[end:], salt)
		// The checksum keeps most inputs from the decoder, so it gets them once more without.
		var g frame
		if err := g.decodePayload(data); err == nil && g.count > 0 {
			p := picker{limit: 100}
			p.add(g.first, g.count, g.batch)
		}
	})
}
