package file

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/source"
)

// daemon is a process that writes numbered lines to the file it has open.
type daemon struct {
	file    *os.File
	id      int
	written int    // lines, the unfinished one included
	pending string // what is left to write of the unfinished line
}

// world is a log folder, the daemons that write there, and a reader.
type world struct {
	*reader
	random  *rand.Rand
	daemons []*daemon // the last one has the live file open, the others are late
	ended   []*daemon
	rotated int         // files app.log.1 to app.log.N(.gz)
	keep    int         // rotated files before the oldest is deleted
	awake   int         // percent of the acts while the agent is down that start it
	next    map[int]int // number of the next line of each daemon
	history []string
}

func (w *world) log(format string, args ...any) {
	w.history = append(w.history, fmt.Sprintf(format, args...))
}

// create has a new daemon open the live file.
func (w *world) create() {
	w.daemons = append(w.daemons, &daemon{id: len(w.daemons) + len(w.ended), file: openLog(w.t, w.path)})
}

func (w *world) live() *daemon {
	return w.daemons[len(w.daemons)-1]
}

// write has d finish its line and write some more, the last of which may stay unfinished.
func (w *world) write(d *daemon, count int, half bool) {
	var text strings.Builder
	text.WriteString(d.pending)
	d.pending = ""
	for range count {
		length := w.random.IntN(40)
		switch w.random.IntN(200) {
		case 0:
			length = w.random.IntN(3 * blockSize)
		case 1, 2, 3, 4:
			length = w.random.IntN(3 * headSize)
		}
		fmt.Fprintf(&text, "%d %d %s\n", d.id, d.written, strings.Repeat("x", length))
		d.written++
	}
	out := text.String()
	if half && count > 0 {
		cut := len(out) - 1 - w.random.IntN(min(len(out)-1, 20))
		out, d.pending = out[:cut], out[cut:]
	}
	w.log("daemon %d wrote %d bytes", d.id, len(out))
	write(w.t, d.file, out)
}

// end has late daemons write their last lines and close their files.
func (w *world) end(all bool) {
	for len(w.daemons) > 1 {
		d := w.daemons[0]
		w.write(d, 0, false)
		d.file.Close()
		w.daemons, w.ended = w.daemons[1:], append(w.ended, d)
		w.log("daemon %d ended", d.id)
		if !all {
			return
		}
	}
}

// shift renames the rotated files to make room for a new first one. The last one is deleted once it was
// read; the second one is compressed, as logrotate does with delaycompress.
func (w *world) shift() {
	w.end(true)
	if w.rotated == w.keep {
		w.log("everything is read before a file is deleted")
		w.run()
		remove(w.t, w.rotatedName(w.keep))
		w.rotated--
	}
	for n := w.rotated; n >= 1; n-- {
		from := w.rotatedName(n)
		to := fmt.Sprintf("%s.%d", w.path, n+1)
		if strings.HasSuffix(from, ".gz") {
			to += ".gz"
		}
		rename(w.t, from, to)
		if n == 1 && w.random.IntN(2) == 0 {
			compress(w.t, to)
		}
	}
	w.rotated++
}

func (w *world) rotatedName(n int) string {
	name := fmt.Sprintf("%s.%d", w.path, n)
	if _, err := os.Stat(name); err != nil {
		name += ".gz"
	}
	return name
}

// replace puts a copy in the live file's place that lacks some of its first lines, as who trims a log does. Its
// daemon notices at once.
func (w *world) replace() {
	w.end(true)
	w.write(w.live(), 0, false)
	w.log("everything is read before the live file is replaced")
	w.run()
	content, err := os.ReadFile(w.path)
	if err != nil {
		w.t.Fatal(err)
	}
	lines := strings.SplitAfter(string(content), "\n")
	w.log("replace")
	if err := os.WriteFile(w.path+".tmp", []byte(strings.Join(lines[w.random.IntN(len(lines)):], "")), 0o644); err != nil {
		w.t.Fatal(err)
	}
	rename(w.t, w.path+".tmp", w.path)
	w.create()
	w.end(true)
	w.run()
}

// act does one random thing.
func (w *world) act() {
	switch n := w.random.IntN(100); {
	case n < 35:
		d := w.daemons[w.random.IntN(len(w.daemons))]
		w.write(d, w.random.IntN(5), w.random.IntN(3) == 0)
	case n < 38:
		w.end(false)
	case n < 43:
		w.shift()
		w.log("rotate")
		rename(w.t, w.path, w.path+".1")
		if w.random.IntN(3) == 0 && w.follower != nil {
			w.step()
		}
		if content, err := os.ReadFile(w.path + ".1"); err == nil && !strings.Contains(string(content), "\n") {
			// Nothing tells a file without a line from another once it is compressed.
			w.write(w.live(), 0, false)
			w.live().file.Close()
			w.daemons, w.ended = w.daemons[:len(w.daemons)-1], append(w.ended, w.live())
		}
		w.create()
	case n < 46:
		w.shift()
		w.write(w.live(), 1, false)
		w.log("copytruncate")
		copyFile(w.t, w.path, w.path+".1")
		truncate(w.t, w.path, 0)
		if w.random.IntN(2) == 0 {
			w.write(w.live(), 1+w.random.IntN(100), false)
		}
	case n < 48:
		w.end(true)
		w.write(w.live(), 0, false)
		w.log("everything is read before the live file is deleted")
		w.run()
		if w.random.IntN(2) == 0 {
			w.stop()
		}
		w.log("delete and create")
		remove(w.t, w.path)
		w.live().file.Close()
		w.daemons, w.ended = nil, append(w.ended, w.live())
		w.create()
		w.write(w.live(), 1, false)
		if w.random.IntN(2) == 0 {
			w.run()
		}
	case n < 49:
		w.replace()
	case n < 58:
		w.log("crash")
		if w.follower != nil && w.random.IntN(2) == 0 {
			w.follower.step(w.now, w.memory) // read, but never stored
		}
		w.stop()
	case n < 65:
		w.now = w.now.Add(time.Duration(w.random.IntN(500)) * time.Millisecond)
	case n < 66:
		for _, late := range w.daemons[:len(w.daemons)-1] {
			w.write(late, 0, false) // or its half line counts as one, see [lastLineWait]
		}
		w.log("minutes pass")
		w.pass(2 * parkWait) // a quiet file is closed, and its daemon may write to it after that
	case n < 68:
		w.end(true)
		w.write(w.live(), 0, false)
		w.log("hours pass")
		w.pass(2 * drainWait)
		w.check()
		if missing := w.missing(); missing != nil {
			w.t.Error(missing)
		}
	default:
		if w.follower == nil {
			if w.random.IntN(100) >= w.awake {
				return
			}
			w.log("start")
			w.begin()
			if w.random.IntN(2) == 0 { // else it may be stopped before it has caught up
				w.run()
				return
			}
		}
		w.log("look")
		for range w.random.IntN(8) {
			w.now = w.now.Add(100 * time.Millisecond)
			w.step()
		}
	}
}

// missing names the daemons whose last lines have not been read.
func (w *world) missing() (missing []string) {
	for _, d := range append(w.ended, w.daemons...) {
		if w.next[d.id] != d.written {
			missing = append(missing, fmt.Sprintf("daemon %d wrote %d lines, %d were read", d.id, d.written, w.next[d.id]))
		}
	}
	return missing
}

// check compares what was read since the last call with what was written: every line of every daemon,
// once, in order.
func (w *world) check() bool {
	for _, line := range w.lines {
		var id, number int
		if _, err := fmt.Sscanf(line, "%d %d", &id, &number); err != nil {
			w.t.Errorf("read %.80q: %v", line, err)
			return false
		}
		if number != w.next[id] {
			w.t.Errorf("read line %d of daemon %d, want line %d", number, id, w.next[id])
			return false
		}
		w.next[id]++
	}
	w.lines = nil
	return true
}

// TestEveryLineOnce rotates, compresses, truncates, deletes, writes half and late lines, crashes and
// restarts at random, and wants every line once.
func TestEveryLineOnce(t *testing.T) {
	t.Parallel()
	const worlds, acts = 8, 1000
	for seed := range uint64(worlds) {
		// In one half the agent is hardly ever down for long, in the other it is away for dozens of rotations.
		keep, awake := 6, 100
		if seed%2 == 1 {
			keep, awake = 60, 4
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w := &world{reader: newReader(t, source.Beginning), random: rand.New(rand.NewPCG(seed, 6)), next: make(map[int]int), keep: keep, awake: awake}
			w.run()
			w.create()
			for act := range acts {
				w.act()
				if !w.check() || t.Failed() {
					t.Fatalf("seed %d, act %d, after:\n%s", seed, act, strings.Join(w.history[max(0, len(w.history)-60):], "\n"))
				}
			}
			w.end(true)
			w.write(w.live(), 1, false)
			w.run()
			w.pass(retryWait)
			w.pass(2 * drainWait)
			w.check()
			if missing := w.missing(); missing != nil {
				t.Errorf("%s; seed %d, at last:\n%s", missing, seed, strings.Join(w.history[max(0, len(w.history)-60):], "\n"))
			}
			total := 0
			for _, lines := range w.next {
				total += lines
			}
			if total < acts/2 {
				t.Errorf("only %d lines were written", total)
			}
		})
	}
}
