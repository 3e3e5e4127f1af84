package intake

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pialert/pialert/packaging/demo/program"
)

var kills = flag.Int("kills", 5, "how often TestKillsUnderLoad kills the agent")

// window is how many messages the sender has under way: written, and not counted on the display.
const window = 2000

// sender writes numbered attempts over one connection after another.
type sender struct {
	address string
	written atomic.Int64
	counted atomic.Int64 // on the display
	lost    atomic.Int64 // of those written, by kills before
}

// run writes until the agent is gone, which it returns nil for, or ctx ends.
func (s *sender) run(ctx context.Context) {
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		return
	}
	defer conn.Close()
	for ctx.Err() == nil {
		if s.written.Load()-s.lost.Load()-s.counted.Load() >= window {
			time.Sleep(time.Millisecond)
			continue
		}
		n := s.written.Load()
		message := fmt.Sprintf("<38>1 2026-11-20T12:00:00Z web sshd %d - - Failed password for root from 203.0.113.%d port %d ssh2\n",
			1+n%1_000_000, n%250, 1024+n%60000)
		if _, err := conn.Write([]byte(message)); err != nil {
			return
		}
		s.written.Add(1)
	}
}

// TestKillsUnderLoad kills the agent while a sender writes by TCP as fast as its messages are counted. What
// is lost is what was under way, the agent says so when it starts again, and nothing is counted twice.
func TestKillsUnderLoad(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute+time.Duration(*kills)*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "kills")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sender{address: listener.Addr().String()}
	listener.Close()
	pair, err := program.LayOut(dir, programs, program.Settings{
		Name: "vps", Dial: "agent", // at once, where a display would wait longer after each kill
		Logs:  []string{"{path: " + dir + "/none.log}"},
		Agent: fmt.Sprintf("syslog: [{listen: \"tcp://%s\"}]\nreport: {socket: \"\"}\nresponses: {mode: \"off\"}\nignore_self: false\n", s.address),
	})
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	agent, err := pair.StartAgent()
	must(err)
	defer func() { agent.Kill() }()
	display, err := pair.StartDisplay()
	must(err)
	defer display.Kill()
	must(pair.Join(ctx))

	watching, stop := context.WithCancel(ctx)
	defer stop()
	go func() { // what the display counted
		for watching.Err() == nil {
			if status, err := pair.DisplayStatus(watching); err == nil {
				s.counted.Store(int64(status.Total))
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	random := rand.New(rand.NewPCG(1, uint64(*kills)))
	worst := int64(0)
	for kill := range *kills {
		sending, stopSending := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for sending.Err() == nil { // the socket opens a little after the agent answers
				s.run(sending)
				time.Sleep(time.Millisecond)
			}
		}()
		before := s.written.Load()
		aim := before + 500 + random.Int64N(3*window)
		must(program.Poll(ctx, func() error {
			if s.written.Load() < aim {
				return fmt.Errorf("%d of %d messages are written", s.written.Load()-before, aim-before)
			}
			return nil
		}))
		time.Sleep(time.Duration(random.Int64N(int64(300 * time.Millisecond))))
		agent.Kill()
		stopSending()
		<-done
		agent, err = pair.StartAgent()
		must(err)
		var settled struct {
			Sources []struct {
				Network *struct{ Killed bool }
			}
			Displays []struct {
				Waiting uint64
				Link    struct{ Up bool }
			}
		}
		must(program.Poll(ctx, func() error {
			said, err := pair.Agent(ctx, "status", "--format", "json")
			if err != nil {
				return err
			}
			if err := json.Unmarshal([]byte(said), &settled); err != nil {
				return err
			}
			if len(settled.Displays) != 1 || !settled.Displays[0].Link.Up || settled.Displays[0].Waiting > 0 {
				return fmt.Errorf("the display has not everything yet: %s", said)
			}
			return nil
		}))
		var total int64
		must(program.Poll(ctx, func() error { // acknowledged is committed, and so counted
			status, err := pair.DisplayStatus(ctx)
			total = int64(status.Total)
			return err
		}))
		lost := s.written.Load() - total
		now := lost - s.lost.Load()
		worst = max(worst, now)
		told := false
		for _, source := range settled.Sources {
			told = told || source.Network != nil && source.Network.Killed
		}
		if now < 0 || now > window {
			t.Errorf("kill %d: %d messages were lost, of at most %d under way", kill, now, window)
		}
		if !told || !strings.Contains(agent.Stderr.String(), "the agent was killed while it listened") {
			t.Errorf("kill %d: it was not told", kill)
		}
		s.lost.Store(lost)
		t.Logf("kill %d: %d messages written so far, %d lost by it", kill, s.written.Load(), now)
	}
	t.Logf("%d kills, %d messages written, %d counted, %d lost, at most %d by one kill", *kills, s.written.Load(), s.written.Load()-s.lost.Load(), s.lost.Load(), worst)
}
