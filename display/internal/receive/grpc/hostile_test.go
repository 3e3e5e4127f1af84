package grpc_test

import (
	"math"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/pialert/pialert/pkg/attack"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// changed is a batch of the event that is due, changed.
func changed(change func(*pialertv1.Event)) *pialertv1.FromAgent {
	e := event(11)
	change(e)
	return batch(e)
}

// A paired agent that misbehaves is cut off with a status and one line in the log. What it sent
// before counts; the other agent notices nothing.
func TestMisbehavingAgentIsCutOff(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		send *pialertv1.FromAgent
		code codes.Code
		says string
	}{
		{"the year 1970", changed(func(e *pialertv1.Event) { e.Logged = timestamppb.New(timestamppb.Now().AsTime().AddDate(-56, 0, 0)) }), codes.InvalidArgument, "event 11: invalid event: logged in the year 1970"},
		{"the year 9999", changed(func(e *pialertv1.Event) { e.Observed.Seconds = 253402300799 }), codes.InvalidArgument, "year 9999"},
		{"no time", changed(func(e *pialertv1.Event) { e.Observed = nil }), codes.InvalidArgument, "no time"},
		{"an absurd count", changed(func(e *pialertv1.Event) { e.Count = math.MaxUint64 }), codes.InvalidArgument, "count"},
		{"a barely absurd count", changed(func(e *pialertv1.Event) { e.Count = 1e9 + 1 }), codes.InvalidArgument, "count"},
		{"no kind", changed(func(e *pialertv1.Event) { e.Kind = 1 << 20 }), codes.InvalidArgument, "kind 1048576"},
		{"another family's detail", changed(func(e *pialertv1.Event) {
			e.Detail = &pialertv1.Event_Flood{Flood: &pialertv1.FloodDetail{Phase: 1, Network: []byte{192, 0, 2, 0}, PrefixLength: 24}}
		}), codes.InvalidArgument, "detail"},
		{"a long user", changed(func(e *pialertv1.Event) { e.User = make([]byte, 10000) }), codes.InvalidArgument, "user has 10000 bytes"},
		{"a number twice", numbered(10, 10), codes.FailedPrecondition, "event 10 came where 11 was due"},
		{"numbers that go back", batch(event(11), event(12), event(1)), codes.FailedPrecondition, "event 1 came where 13 was due"},
		{"numbers that jump", numbered(12, 12), codes.FailedPrecondition, "event 12 came where 11 was due"},
		{"number 0", changed(func(e *pialertv1.Event) { e.Sequence = 0 }), codes.InvalidArgument, "no sequence number"},
		{"the last number there is", changed(func(e *pialertv1.Event) { e.Sequence = math.MaxUint64 }), codes.FailedPrecondition, "was due"},
		{"a gap that goes back", gap(10, 1), codes.FailedPrecondition, "gap"},
		{"an endless gap", gap(math.MaxUint64, 1), codes.InvalidArgument, "absurd"},
		{"a gap of endless attempts", gap(20, math.MaxUint64), codes.InvalidArgument, "absurd"},
		{"a second hello", hello(2), codes.FailedPrecondition, "hello twice"},
		{"nothing", &pialertv1.FromAgent{}, codes.InvalidArgument, "empty message"},
		{"a message of 2 MiB", changed(func(e *pialertv1.Event) { e.User = make([]byte, 2<<20) }), codes.ResourceExhausted, "larger than max"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := startDisplay(t)
			good, bad := d.dial("good"), d.dial("bad")
			good.greet(1)
			bad.greet(1)
			good.send(numbered(1, 5))
			good.waitAck(5)
			bad.send(numbered(1, 10))
			bad.waitAck(10)
			bad.send(test.send)
			err := bad.waitEnd()
			if status.Code(err) != test.code || !strings.Contains(status.Convert(err).Message(), test.says) {
				t.Errorf("ended with %v; want %v: ... %s ...", err, test.code, test.says)
			}
			// gRPC tells the agent of a message that is too large before it tells the server.
			d.await(func() bool { return d.log.count("cut an agent off") > 0 })
			again := d.dial("bad")
			again.send(hello(1))
			if err := again.waitEnd(); status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), test.says) {
				t.Errorf("the next stream ended with %v", err)
			}
			good.send(numbered(6, 6))
			good.waitAck(6)
			if got := d.status("bad"); got.Connected || !strings.Contains(got.LastError, test.says) {
				t.Errorf("status %+v", got)
			}
			if got := d.log.count("cut an agent off"); got != 1 || d.log.count("agent=bad") == 0 {
				t.Errorf("cutting off was logged %d times", got)
			}
			if d.attempts("bad") != 10 || d.attempts("good") != 6 {
				t.Errorf("attempts: bad %d, want 10; good %d, want 6", d.attempts("bad"), d.attempts("good"))
			}
		})
	}
}

func TestBadBeginnings(t *testing.T) {
	t.Parallel()
	other := hello(1)
	other.GetHello().Protocol = 2
	tests := map[string]struct {
		send *pialertv1.FromAgent
		says string
	}{
		"no hello":         {numbered(1, 1), "did not say hello"},
		"another protocol": {other, "update the older"},
		"nothing":          {&pialertv1.FromAgent{}, "did not say hello"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := startDisplay(t)
			c := d.dial("bad")
			c.send(test.send)
			if err := c.waitEnd(); status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), test.says) {
				t.Errorf("ended with %v", err)
			}
			if d.attempts("bad") != 0 {
				t.Error("something was counted")
			}
		})
	}
}

// Attempts that single events may claim add up to what no server can suffer.
func TestTooManyAttempts(t *testing.T) {
	t.Parallel()
	d := startDisplay(t)
	c := d.dial("bad")
	c.greet(1)
	for n := range uint64(1000) {
		e := event(n + 1)
		e.Count = 1e9
		c.send(batch(e))
	}
	if err := c.waitEnd(); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("ended with %v", err)
	}
}

// What an agent says of its version is kept short and cannot confuse a terminal.
func TestVersionIsText(t *testing.T) {
	t.Parallel()
	d := startDisplay(t)
	c := d.dial("web")
	evil := hello(1)
	evil.GetHello().Version = "v1\x1b[2J\n" + strings.Repeat("9", 10000)
	c.send(evil)
	if _, err := c.stream.Recv(); err != nil {
		t.Fatal(err)
	}
	if got := d.status("web").Version; len(got) > 2*64 || !strings.HasPrefix(got, `v1\x1b[2J\n9`) {
		t.Errorf("version %q", got)
	}
}

// What a newer agent says beyond what this display knows does not stall it: the event is counted
// under its number, and what cannot be read is left out.
func TestNewerAgent(t *testing.T) {
	t.Parallel()
	d := startDisplay(t)
	agent := d.dial("newer")
	agent.greet(1)
	unheard := &pialertv1.FromAgent{}
	unheard.ProtoReflect().SetUnknown(protowire.AppendBytes(protowire.AppendTag(nil, 99, protowire.BytesType), []byte("a message")))
	unknown := event(1)
	unknown.Kind, unknown.Family, unknown.Attempt, unknown.Count = 300, pialertv1.Family_FAMILY_SSH, true, 7
	unknown.ProtoReflect().SetUnknown(protowire.AppendBytes(protowire.AppendTag(nil, 30, protowire.BytesType), []byte("a detail")))
	agent.send(unheard, batch(unknown), unheard, batch(event(2)))
	agent.waitAck(2)
	totals, err := d.history.Totals(t.Context())
	if err != nil || len(totals) != 2 {
		t.Fatalf("counted %v, error %v", totals, err)
	}
	if got := totals[1]; got.Kind != attack.UnknownKind(300, attack.FamilySSH, true) || got.Attempts != 7 {
		t.Errorf("counted %+v", got)
	}
}
