package grpc_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/display/internal/receive"
)

// users are the users of the events numbered first to last.
func users(first, last int) (list []string) {
	for n := first; n <= last; n++ {
		list = append(list, fmt.Sprint("user", n))
	}
	return list
}

func TestDeliver(t *testing.T) {
	t.Parallel()
	d := startDisplay(t)
	c := d.dial("web")
	if committed := c.greet(7); committed != 0 {
		t.Errorf("welcomed with %d", committed)
	}
	c.send(numbered(1, 10), heartbeat(3, 4), batch(), numbered(11, 12))
	c.waitAck(12)
	if got := d.attempts("web"); got != 12 {
		t.Errorf("%d attempts are counted, want 12", got)
	}
	if got := d.gallery.of("web"); !slices.Equal(got, users(1, 12)) {
		t.Errorf("shown %v", got)
	}
	got := d.status("web")
	if !got.Connected || got.Version != "v1.2.3" || got.Events != 12 || got.Dropped.Events != 3 || got.Dropped.Attempts != 4 || got.LastHeard.IsZero() {
		t.Errorf("status %+v", got)
	}
	want := []receive.Log{{Name: `auth.log\x1b`, LastLine: time.Unix(1_700_000_000, 0).UTC(), Error: "permission denied"}}
	if !slices.Equal(got.Logs, want) {
		t.Errorf("logs %+v, want %+v", got.Logs, want)
	}
	if got := d.attempts("somebody else"); got != 0 {
		t.Errorf("an agent spoke for another one: %d attempts", got)
	}
}

// A gap that was announced is no loss of order; what it lost shows in the history.
func TestGap(t *testing.T) {
	t.Parallel()
	d := startDisplay(t)
	c := d.dial("web")
	c.greet(1)
	c.send(gap(100, 250), numbered(101, 103), gap(110, 0), numbered(111, 111))
	c.waitAck(111)
	agents := d.history.Agents()
	if len(agents) != 1 || agents[0].Dropped != (history.Sum{Events: 100, Attempts: 250}) || d.attempts("web") != 4 {
		t.Errorf("agents %+v, %d attempts", agents, d.attempts("web"))
	}
}

// The stream breaks, with or without the display's process, after any number of messages. The
// agent goes on after what the welcome says.
func TestResumeAtEveryPoint(t *testing.T) {
	t.Parallel()
	script := []struct{ first, last uint64 }{{1, 1}, {2, 40}, {41, 41}, {42, 90}, {91, 100}}
	for point := range len(script) + 1 {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("after %d messages, restart %t", point, restart), func(t *testing.T) {
				t.Parallel()
				d := startDisplay(t)
				c := d.dial("web")
				c.greet(7)
				for _, s := range script[:point] {
					c.send(numbered(s.first, s.last))
				}
				if point == 0 || !restart {
					c.conn.Close() // nothing says whether the messages arrived
				} else {
					d.stop()
				}
				shown := d.gallery
				if restart {
					d.stop()
					d = reopenDisplay(t, d.path)
				}
				c = d.dial("web")
				committed := c.greet(7)
				for _, s := range script {
					if s.last > committed {
						c.send(numbered(max(s.first, committed+1), s.last))
					}
				}
				if committed < 100 {
					c.waitAck(100)
				}
				if got := d.attempts("web"); got != 100 {
					t.Errorf("%d attempts are counted, want 100", got)
				}
				if got := d.gallery.of("web"); !restart && !slices.Equal(got, users(1, 100)) {
					t.Errorf("shown %v, want each of 100 once", got)
				}
				if restart {
					all := append(slices.Clone(shown.of("web")), d.gallery.of("web")...)
					slices.Sort(all)
					if got := slices.Compact(all); len(got) != 100 {
						t.Errorf("%d events were shown by the two, want 100", len(got))
					}
				}
			})
		}
	}
}

func TestNewestStreamWins(t *testing.T) {
	t.Parallel()
	d := startDisplay(t)
	first := d.dial("web")
	first.greet(1)
	second := open(t, first.conn, "web") // on the same connection
	second.greet(1)
	if code := status.Code(first.waitEnd()); code != codes.Aborted {
		t.Errorf("the first stream ended with %v", code)
	}
	third := d.dial("web")
	third.greet(1)
	if code := status.Code(second.waitEnd()); code != codes.Aborted {
		t.Errorf("the second stream ended with %v", code)
	}
	third.send(numbered(1, 3))
	third.waitAck(3)
	if got := d.status("web"); !got.Connected || got.LastError != "" {
		t.Errorf("status %+v", got)
	}
}

func TestStrangersGetNothing(t *testing.T) {
	t.Parallel()
	d := startDisplay(t)
	c := d.dial("")
	c.send(hello(1))
	message, err := c.stream.Recv()
	if status.Code(err) != codes.Unauthenticated || message != nil || strings.Contains(err.Error(), "test") {
		t.Errorf("got %v, error %v", message, err)
	}
	if list := d.agents.Status(); len(list) != 0 {
		t.Errorf("status %+v", list)
	}
}

// An agent that begins a new epoch is counted from its first number on, and one that returns to
// a former epoch goes on where that was.
func TestEpochs(t *testing.T) {
	t.Parallel()
	d := startDisplay(t)
	for _, step := range []struct{ epoch, committed, last uint64 }{{5, 0, 10}, {6, 0, 3}, {5, 10, 12}, {6, 3, 4}} {
		c := d.dial("web")
		if committed := c.greet(step.epoch); committed != step.committed {
			t.Errorf("epoch %d: welcomed with %d, want %d", step.epoch, committed, step.committed)
		}
		c.send(numbered(step.committed+1, step.last))
		c.waitAck(step.last)
	}
	if got := d.attempts("web"); got != 16 {
		t.Errorf("%d attempts are counted, want 16", got)
	}
}

func TestManyAgentsAtOnce(t *testing.T) {
	t.Parallel()
	d := startDisplay(t)
	const agents, messages, each = 8, 20, 50
	for n := range agents {
		t.Run("", func(t *testing.T) {
			c := d.dial(fmt.Sprint("agent", n))
			c.greet(1)
			for m := range uint64(messages) {
				c.send(numbered(m*each+1, (m+1)*each))
			}
			c.waitAck(messages * each)
		})
	}
	for n := range agents {
		if got := d.attempts(fmt.Sprint("agent", n)); got != messages*each {
			t.Errorf("agent %d has %d attempts, want %d", n, got, messages*each)
		}
	}
}
