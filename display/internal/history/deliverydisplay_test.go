package history_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing/synctest"
	"time"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/display/internal/receive"
)

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
