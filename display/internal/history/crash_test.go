package history_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/pialert/pialert/display/internal/history"
)

// The test binary runs itself again as one of these processes.
const (
	roleVariable = "HISTORY_TEST_ROLE"
	pathVariable = "HISTORY_TEST_PATH"
)

func TestMain(m *testing.M) {
	role := map[string]func(path string) error{"writer": writer, "full disk": fullDisk, "no room": replaceWithoutRoom}[os.Getenv(roleVariable)]
	if role == nil { // or "interleavings", which is one of the tests
		os.Exit(m.Run())
	}
	if err := role(os.Getenv(pathVariable)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func child(t *testing.T, role, path string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), roleVariable+"="+role, pathVariable+"="+path)
	return cmd
}

// writer commits small batches of two agents, each from its mark on, and prints every mark that
// is acknowledged, until it is killed.
func writer(path string) error {
	o := options(path)
	o.MaxQueue = 200_000
	h, err := history.Open(o)
	if err != nil {
		return err
	}
	go h.Run(context.Background())
	var mu sync.Mutex
	next := map[string]uint64{}
	for _, agent := range []string{"a", "b"} {
		committed, _ := h.Committed(context.Background(), agent, 1)
		next[agent] = committed + 1
	}
	for n := 0; ; n++ {
		for agent, first := range next {
			size := 1 + (n*7)%20
			err := h.Append(context.Background(), agent, 1, first, events(size),
				func(committed uint64, err error) {
					mu.Lock()
					defer mu.Unlock()
					fmt.Println(agent, committed)
				})
			if err != nil {
				return err
			}
			next[agent] += uint64(size)
		}
	}
}

// A process that is killed while it commits has stored all that it acknowledged, and each event
// once.
func TestKillInTheMiddleOfCommits(t *testing.T) {
	t.Parallel()
	path := file(t)
	random := rand.New(rand.NewPCG(3, 4))
	acknowledged := map[string]uint64{}
	const kills = 10
	for kill := range kills {
		cmd := child(t, "writer", path)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		left := 1 + random.IntN(60)
		for lines.Scan() {
			var agent string
			var committed uint64
			if _, err := fmt.Sscan(lines.Text(), &agent, &committed); err == nil {
				acknowledged[agent] = max(acknowledged[agent], committed)
			}
			if left--; left == 0 { // what the pipe still holds was acknowledged too
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait()
		if left > 0 {
			t.Fatalf("the writer ended by itself %d acknowledgements before its end", left)
		}

		h := start(t, options(path))
		var stored, marks uint64
		for _, total := range h.totals() {
			stored += total.Events
		}
		for agent, last := range acknowledged {
			mark, _ := h.Committed(t.Context(), agent, 1)
			if mark < last {
				t.Errorf("kill %d: %s has %d events, %d were acknowledged", kill, agent, mark, last)
			}
			marks += mark
		}
		if stored != marks || h.log.count("damaged") > 0 {
			t.Errorf("kill %d: %d events counted, the marks say %d", kill, stored, marks)
		}
		if kill == kills-1 {
			if rows := count(h); uint64(rows) != marks {
				t.Errorf("%d events stored, the marks say %d", rows, marks)
			}
		}
		h.stop()
	}
}

// A full disk: nothing is acknowledged, nothing is lost, the log says so once, and all goes on
// when there is room. The process has a small file system of its own.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	cmd := child(t, "full disk", t.TempDir())
	ownFileSystem(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func fullDisk(dir string) error {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
		return fmt.Errorf("cannot mount a small file system: %w", err)
	}
	book := new(logBook)
	o := options(filepath.Join(dir, "history.db"))
	o.Logger = slog.New(slog.NewTextHandler(io.MultiWriter(book, os.Stderr), nil))
	h, err := history.Open(o)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	var runs sync.WaitGroup
	runs.Go(func() { h.Run(ctx) })
	defer runs.Wait()
	defer stop()

	ballast := filepath.Join(dir, "ballast")
	if err := fill(ballast); err != nil {
		return err
	}
	var pendings sync.WaitGroup
	var acknowledged atomic.Uint64
	const batches, size = 4, 1000
	appendBatch := func(n int) error {
		pendings.Add(1)
		return h.Append(ctx, "a", 1, uint64(n*size+1), events(size),
			func(committed uint64, err error) {
				if err == nil {
					acknowledged.Store(committed)
				}
				pendings.Done()
			})
	}
	for n := range batches {
		if err := appendBatch(n); err != nil {
			return err
		}
	}
	for h.Fault() == "" {
		if acknowledged.Load() == batches*size {
			return fmt.Errorf("%d events were committed to a full disk", acknowledged.Load())
		}
		runtime.Gosched()
	}
	if _, err := h.Recent(ctx, 1, history.Filter{}); err != nil {
		return fmt.Errorf("a full disk cannot be read: %w", err)
	}
	if err := os.Remove(ballast); err != nil {
		return err
	}
	pendings.Wait()
	totals, err := h.Totals(ctx)
	if err != nil || len(totals) != 1 || totals[0].Events != batches*size || acknowledged.Load() != batches*size {
		return fmt.Errorf("totals %+v, acknowledged %d, error %v; want %d", totals, acknowledged.Load(), err, batches*size)
	}
	if failed, again := book.count("cannot commit"), book.count("takes events again"); failed != 1 || again != 1 {
		return fmt.Errorf("the log says %d times that commits fail and %d times that they work again", failed, again)
	}
	if !strings.Contains(book.text.String(), "free space") {
		return fmt.Errorf("the log does not say what to do")
	}
	stop()
	runs.Wait()
	if err := h.Close(); err != nil {
		return err
	}

	// A disk that is full at the start is no reason not to start.
	if err := fill(ballast); err != nil {
		return err
	}
	again, err := history.Open(o)
	if err != nil {
		return fmt.Errorf("cannot open on a full disk: %w", err)
	}
	if totals, err := again.Totals(context.Background()); err != nil || len(totals) != 1 || totals[0].Events != batches*size {
		return fmt.Errorf("on a full disk: totals %+v, error %v", totals, err)
	}
	if records, err := again.Recent(context.Background(), 10, history.Filter{}); err != nil || len(records) != 10 {
		return fmt.Errorf("on a full disk: %d events can be read, error %v", len(records), err)
	}
	return again.Close()
}

// A damaged history is replaced on a disk that has room for some of the new file's parts, but not for all, at each of many
// sizes: whenever the history opens it has everything that was counted.
func TestReplacingWithoutRoom(t *testing.T) {
	t.Parallel()
	cmd := child(t, "no room", t.TempDir())
	ownFileSystem(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func replaceWithoutRoom(dir string) error {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
		return fmt.Errorf("cannot mount a small file system: %w", err)
	}
	const size = 1000
	o := options(filepath.Join(dir, "history.db"))
	h, err := history.Open(o)
	if err != nil {
		return err
	}
	committed := make(chan error, 1)
	if err := h.Append(context.Background(), "a", 1, 1, events(size), func(_ uint64, err error) { committed <- err }); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	stop() // Run commits what waits, and ends
	h.Run(ctx)
	if err := errors.Join(<-committed, h.Close(), os.Remove(o.Path+".totals")); err != nil {
		return err
	}
	damaged, err := os.ReadFile(o.Path)
	if err != nil {
		return err
	}
	for at := len(damaged) - 8192; at < len(damaged)-4096; at++ { // some events
		damaged[at] = 0xff
	}
	ballast := filepath.Join(dir, "ballast")
	opened, refused := 0, 0
	for room := 64 << 10; room < 1<<20; room += 48 << 10 {
		names, _ := filepath.Glob(filepath.Join(dir, "*"))
		for _, name := range names {
			os.Remove(name)
		}
		if err := errors.Join(os.WriteFile(o.Path, damaged, 0o600), fill(ballast)); err != nil {
			return err
		}
		full, err := os.Stat(ballast)
		if err != nil {
			return err
		}
		if err := os.Truncate(ballast, max(0, full.Size()-int64(room))); err != nil {
			return err
		}
		again, err := history.Open(o)
		if err != nil { // as it should where there is no room
			refused++
			if left, _ := filepath.Glob(o.Path + ".new*"); len(left) > 0 {
				return fmt.Errorf("with %d bytes of room %q are left", room, left)
			}
			if err := os.Remove(ballast); err != nil {
				return err
			}
			if again, err = history.Open(o); err != nil {
				return fmt.Errorf("with %d bytes of room, then more: %w", room, err)
			}
		} else {
			opened++
		}
		totals, err := again.Totals(context.Background())
		mark, _ := again.Committed(context.Background(), "a", 1)
		records, _ := again.Recent(context.Background(), size, history.Filter{})
		if err := errors.Join(err, again.Close()); err != nil {
			return err
		}
		if len(totals) != 1 || totals[0].Events != size || mark != size || len(records) < size*8/10 {
			return fmt.Errorf("with %d bytes of room: totals %+v, the mark is %d, %d events can be read", room, totals, mark, len(records))
		}
	}
	if opened == 0 || refused == 0 {
		return fmt.Errorf("%d times there was room, %d times there was not", opened, refused)
	}
	return nil
}

// fill writes a file until the disk is full.
func fill(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	for size := 1 << 16; size > 0; {
		if _, err := file.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	return nil
}
