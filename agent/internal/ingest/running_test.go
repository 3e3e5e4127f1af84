package ingest

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/wire"
)

// counter is a detector for which every line is one attempt: its first word is the user, the rest
// goes into the event. It remembers how many lines each source had.
type counter struct {
	emit    func(*attack.Event)
	lines   map[string]int
	changed map[string]bool
}

func (c *counter) Restore(key string, value []byte) (err error) {
	c.lines[key], err = strconv.Atoi(string(value))
	return err
}

func (c *counter) Feed(chunk Chunk) {
	for line := range bytes.Lines(chunk.Data) {
		c.lines[chunk.Source]++
		c.changed[chunk.Source] = true
		user, rest, _ := strings.Cut(strings.TrimSuffix(string(line), "\n"), " ")
		c.emit(&attack.Event{
			Kind: attack.SSHLogin, Severity: attack.Medium, Rule: "rule", Log: chunk.Source, Observed: chunk.Observed,
			SourceIP: netip.MustParseAddr("192.0.2.1"), User: user, Count: 1, Detail: attack.SSH{Reason: rest},
		})
	}
}

func (c *counter) Forget(chunk Chunk) {
	delete(c.lines, chunk.Source)
	c.changed[chunk.Source] = true
}

func (c *counter) Tick(time.Time) {}

func (c *counter) Changes(visit func(key string, value []byte)) {
	for source := range c.changed {
		if n, ok := c.lines[source]; ok {
			visit(source, strconv.AppendInt(nil, int64(n), 10))
		} else {
			visit(source, nil)
		}
	}
	clear(c.changed)
}

// disk is a store that can fail.
type disk struct {
	fail      func() error // nil never fails
	commits   int
	attempts  uint64
	committed []attack.Event
	state     map[string][]byte
	largest   int // bytes of events in one commit
}

func (d *disk) Commit(events []attack.Event, state map[string][]byte) error {
	if d.fail != nil {
		if err := d.fail(); err != nil {
			return err
		}
	}
	size := 0
	for i := range events {
		d.attempts += events[i].Count
		size += proto.Size(wire.Encode(1, "agent", &events[i]))
	}
	d.commits++
	d.largest = max(d.largest, size)
	d.committed = append(d.committed, events...)
	for key, value := range state {
		if d.state == nil {
			d.state = map[string][]byte{}
		}
		if d.state[key] = value; value == nil {
			delete(d.state, key)
		}
	}
	return nil
}

func yes() bool { return true }

func no() bool { return false }

// start returns a pipeline into a store that goes on from what the store has.
func start(t *testing.T, into *disk, watched func() bool) (*Pipeline, *counter) {
	t.Helper()
	c := &counter{lines: map[string]int{}, changed: map[string]bool{}}
	p, err := New(Options{
		Detector: func(emit func(*attack.Event)) (Detector, error) { c.emit = emit; return c, nil },
		Store:    into, Watched: watched, Logger: slog.New(slog.DiscardHandler),
		State: func(yield func(string, []byte) bool) {
			for key, value := range into.state {
				if !yield(key, value) {
					return
				}
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p, c
}

// chunk is lines of a log, one for each user, and the position behind them.
func chunk(position int, users ...string) Chunk {
	return Chunk{
		Name: "log", Source: "log", Data: []byte(strings.Join(users, "\n") + "\n"),
		Position: strconv.AppendInt(nil, int64(position), 10), Observed: time.Now(),
	}
}

func feed(t *testing.T, p *Pipeline, c Chunk) {
	t.Helper()
	if err := p.Feed(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

func commit(t *testing.T, p *Pipeline) {
	t.Helper()
	if err := p.commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}
