package spool

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/pialert/pialert/pkg/attack"
)

// faultyDisk is a disk on which writes, syncs and truncations fail, and which loses on a crash what was
// not synced: data, names that are new, and that a name was removed.
type faultyDisk struct {
	random  *rand.Rand
	faulty  bool
	synced  map[string]int64 // size of each file that survives a crash
	size    map[string]int64
	created map[string]bool   // names that no sync of their directory covers
	removed map[string][]byte // the same for names that are gone, with what the file held
}

func newFaultyDisk(random *rand.Rand) *faultyDisk {
	return &faultyDisk{
		random: random, synced: map[string]int64{}, size: map[string]int64{},
		created: map[string]bool{}, removed: map[string][]byte{},
	}
}

type faultyFile struct {
	file
	disk *faultyDisk
	path string
}

func (d *faultyDisk) open(path string, flag int) (file, error) {
	if flag&os.O_CREATE != 0 && d.fails(20) {
		return nil, &os.PathError{Op: "open", Path: path, Err: syscall.ENOSPC}
	}
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	d.size[path] = info.Size()
	if flag&os.O_CREATE != 0 {
		d.created[path] = true
	}
	return &faultyFile{f, d, path}, nil
}

func (d *faultyDisk) syncDir(string) error {
	if d.fails(20) {
		return syscall.EIO
	}
	clear(d.created)
	clear(d.removed)
	return nil
}

func (d *faultyDisk) remove(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !d.created[path] { // else the name was never on the disk
		d.removed[path] = data[:min(int64(len(data)), d.synced[path])]
	}
	delete(d.created, path)
	delete(d.size, path)
	delete(d.synced, path)
	return os.Remove(path)
}

// fails says yes once in n times.
func (d *faultyDisk) fails(n int) bool { return d.faulty && d.random.IntN(n) == 0 }

func (f *faultyFile) WriteAt(data []byte, offset int64) (int, error) {
	if f.disk.fails(20) {
		n := f.disk.random.IntN(len(data))
		f.file.WriteAt(data[:n], offset)
		f.disk.size[f.path] = max(f.disk.size[f.path], offset+int64(n))
		return n, syscall.ENOSPC
	}
	f.disk.size[f.path] = max(f.disk.size[f.path], offset+int64(len(data)))
	return f.file.WriteAt(data, offset)
}

func (f *faultyFile) Truncate(size int64) error {
	if f.disk.fails(3) {
		return syscall.EIO
	}
	f.disk.size[f.path] = size
	f.disk.synced[f.path] = min(f.disk.synced[f.path], size)
	return f.file.Truncate(size)
}

// Sync does not wait for the real disk: that is proven elsewhere.
func (f *faultyFile) Sync() error {
	if f.disk.fails(20) {
		return syscall.EIO
	}
	f.disk.synced[f.path] = f.disk.size[f.path]
	return nil
}

// crash cuts every file somewhere between what was synced and what was written, takes some names away
// that are new, and brings some back that were removed.
func (d *faultyDisk) crash(t *testing.T) {
	for path, size := range d.size {
		kept := d.synced[path]
		if size > kept {
			kept += d.random.Int64N(size - kept + 1)
		}
		if err := os.Truncate(path, kept); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		d.size[path] = kept
	}
	for path := range d.created {
		if d.random.IntN(2) == 0 {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			delete(d.size, path)
			delete(d.synced, path)
		}
	}
	for path, data := range d.removed {
		if d.random.IntN(2) == 0 {
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			d.size[path], d.synced[path] = int64(len(data)), int64(len(data))
		}
	}
	clear(d.created)
	clear(d.removed)
}

// abandon lets go of a spool as the end of its process would.
func abandon(s *Spool) {
	if s.file != nil {
		s.file.Close()
	}
	unlock(s.lock)
}

// model is what a spool ought to hold.
type model struct {
	events []string // by number, from 1
	state  map[string]string
	acked  map[string]uint64
}

// Whatever is committed, acknowledged, refused by the disk and cut by crashes, in any order: what
// was committed is there, once, with the state that belongs to it.
func TestRandomCrashes(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			t.Parallel()
			crashes(t, rand.New(rand.NewPCG(seed, 2)), 200)
		})
	}
}

func crashes(t *testing.T, random *rand.Rand, steps int) {
	d := newFaultyDisk(random)
	options := Options{Dir: t.TempDir(), Agent: "web", storage: d}
	names := []string{"desk", "shelf"}
	m := model{state: map[string]string{}, acked: map[string]uint64{}}
	reopen := func() *Spool {
		d.faulty = false
		s, err := Open(options)
		if err != nil {
			t.Fatal(err)
		}
		s.segmentBytes = 1 << 10
		if err := s.SetConsumers(names); err != nil {
			t.Fatal(err)
		}
		d.faulty = true
		return s
	}
	s := reopen()
	for range steps {
		switch random.IntN(10) {
		case 0:
			abandon(s)
			d.crash(t)
			s = reopen()
			m.check(t, s)
		case 1:
			m.check(t, s)
		case 2, 3:
			name := names[random.IntN(len(names))]
			if next := uint64(len(m.events)) + 1; next > 1 {
				committed := random.Uint64N(next)
				if err := s.Ack(name, epochOf(s, name), committed); err != nil {
					t.Fatal(err)
				}
				m.acked[name] = max(m.acked[name], committed)
			}
		default:
			s = m.commit(t, s, random, func() *Spool {
				abandon(s)
				d.crash(t)
				return reopen()
			})
		}
	}
	m.check(t, s)
	d.faulty = false
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// commit commits until it succeeds, unless a crash comes between.
func (m *model) commit(t *testing.T, s *Spool, random *rand.Rand, crash func() *Spool) *Spool {
	events := eventsFrom(random.IntN(1000), random.IntN(6))
	changes := map[string][]byte{"position": fmt.Append(nil, random.Uint64())}
	if random.IntN(3) == 0 {
		changes[fmt.Sprint("k", random.IntN(5))] = nil
		changes[fmt.Sprint("l", random.IntN(5))] = fmt.Append(nil, random.IntN(1000))
	}
	before := s.Next()
	for s.Commit(events, changes) != nil {
		if s.Next() != before {
			t.Fatalf("a failed commit moved the next number from %d to %d", before, s.Next())
		}
		m.check(t, s)
		if random.IntN(4) > 0 {
			continue
		}
		// The commit failed and the machine stops before it is repeated: it is there or it is
		// not, and the state tells which.
		s = crash()
		if state(s)["position"] != string(changes["position"]) {
			m.check(t, s)
			return s
		}
		break
	}
	m.apply(events, changes)
	m.check(t, s)
	return s
}

func (m *model) apply(events []attack.Event, changes map[string][]byte) {
	for _, e := range events {
		m.events = append(m.events, e.User)
	}
	for key, value := range changes {
		if value == nil {
			delete(m.state, key)
		} else {
			m.state[key] = string(value)
		}
	}
}

func (m *model) check(t *testing.T, s *Spool) {
	t.Helper()
	if got, want := s.Next(), uint64(len(m.events))+1; got != want {
		t.Fatalf("next is %d, want %d", got, want)
	}
	if got := state(s); !maps.Equal(got, m.state) {
		t.Fatalf("state %v, want %v", got, m.state)
	}
	after := min(m.acked["desk"], m.acked["shelf"])
	got := users(t, s, after, 500)
	for i, user := range m.events[after:] {
		if got[after+uint64(i)+1] != user {
			t.Fatalf("event %d is %q, want %q", after+uint64(i)+1, got[after+uint64(i)+1], user)
		}
	}
	if lost := s.Stats().Dropped; lost.Events > 0 || len(got) != len(m.events)-int(after) {
		t.Fatalf("%d events read, want %d; %+v lost", len(got), len(m.events)-int(after), lost)
	}
	if damaged, _ := filepath.Glob(filepath.Join(s.options.Dir, damagedPrefix+"*")); len(damaged) > 0 {
		t.Fatalf("set aside after a crash: %v", damaged)
	}
}

// On a disk that is full the spool stays as it was, and goes on when there is room again.
func TestFailedWrites(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"write", "sync", "sync and truncate", "create"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			broken := false
			s := open(t, Options{Dir: t.TempDir(), storage: opener(func(path string, flag int) (file, error) {
				if broken && fault == "create" {
					return nil, syscall.ENOSPC
				}
				f, err := disk{}.open(path, flag)
				return &brokenFile{f, fault, &broken}, err
			})})
			commit(t, s, eventsFrom(1, 1), map[string][]byte{"position": []byte("1")})
			if fault == "create" {
				s.segmentBytes = 1 // so that the next commit begins a segment
			}
			broken = true
			for range 3 {
				if err := s.Commit(eventsFrom(2, 1), map[string][]byte{"position": []byte("2")}); err == nil {
					t.Fatal("committed to a broken disk")
				}
			}
			wantUsers(t, s, 0, "user-1")
			if got := state(s)["position"]; got != "1" {
				t.Errorf("position %s after a failed commit", got)
			}
			broken = false
			commit(t, s, eventsFrom(2, 1), map[string][]byte{"position": []byte("2")})
			wantUsers(t, s, 0, "user-1", "user-2")
			names, err := filepath.Glob(filepath.Join(s.options.Dir, "*"+segmentSuffix))
			if err != nil || len(names) != len(s.segments) {
				t.Errorf("files %v (%v), want %d", names, err, len(s.segments))
			}
			s.Close()
			s = open(t, Options{Dir: s.options.Dir})
			wantUsers(t, s, 0, "user-1", "user-2")
		})
	}
}

type brokenFile struct {
	file
	fault  string
	broken *bool
}

func (f *brokenFile) WriteAt(data []byte, offset int64) (int, error) {
	if *f.broken && f.fault == "write" {
		n, _ := f.file.WriteAt(data[:len(data)/2], offset)
		return n, syscall.ENOSPC
	}
	return f.file.WriteAt(data, offset)
}

func (f *brokenFile) Sync() error {
	if *f.broken && slices.Contains([]string{"sync", "sync and truncate"}, f.fault) {
		return syscall.EIO
	}
	return f.file.Sync()
}

func (f *brokenFile) Truncate(size int64) error {
	if *f.broken && f.fault == "sync and truncate" {
		return syscall.EIO
	}
	return f.file.Truncate(size)
}

// opener is a disk that opens files in its own way.
type opener func(path string, flag int) (file, error)

func (o opener) open(path string, flag int) (file, error) { return o(path, flag) }
func (opener) syncDir(dir string) error                   { return disk{}.syncDir(dir) }
func (opener) remove(path string) error                   { return disk{}.remove(path) }
