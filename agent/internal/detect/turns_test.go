package detect

import (
	"fmt"
	"testing"

	"github.com/pialert/pialert/pkg/attack"
)

// Lines of more hosts and programs in turns than headers are remembered are each of their own host, with stamps of
// both forms among each other.
func TestHeadersInTurns(t *testing.T) {
	t.Parallel()
	var got []string
	engine, err := New(Options{Rules: builtinRules(t), Emit: func(ev *attack.Event, line uint64) {
		got = append(got, fmt.Sprintf("%d %s %s", line, ev.Host, ev.SourceIP))
	}})
	if err != nil {
		t.Fatal(err)
	}
	source, err := NewSource("hosts", "", "")
	if err != nil {
		t.Fatal(err)
	}
	source.Of(HeaderHost)
	stamps := []string{"Jan 31 12:00:00", "2025-01-31T12:00:00.000001Z", "2025-01-31T12:00:00.000002+00:00"}
	tags := []string{"sshd", "sshd-session"}
	const lines = 3000
	for i := range lines {
		host := fmt.Sprintf("host-%d", i*7%150)
		line := fmt.Sprintf("%s %s %s[%d]: Failed password for root from 192.0.2.%d port 22 ssh2",
			stamps[i/11%3], host, tags[i/5%2], 1000+i, i%250)
		engine.Feed(source, []byte(line), now)
		if want := fmt.Sprintf("%d %s 192.0.2.%d", i+1, host, i%250); len(got) != i+1 || got[i] != want {
			t.Fatalf("line %d gave %q, want %q", i+1, got[min(i, len(got)):], want)
		}
	}
}
