package detect

import (
	"fmt"
	"testing"

	"github.com/pialert/pialert/pkg/attack"
)

// Lines of more hosts and programs in turns than headers are remembered are each of their own host, with stamps of
// both forms among each other, whether they come one by one or in one block.
func TestHeadersInTurns(t *testing.T) {
	t.Parallel()
	for _, block := range []int{1, 1000} {
		t.Run(fmt.Sprint(block), func(t *testing.T) { testHeadersInTurns(t, block) })
	}
}

func testHeadersInTurns(t *testing.T, block int) {
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
	var lines []byte
	var want []string
	for i := range 3000 {
		host := fmt.Sprintf("host-%d", i/3*7%150) // each of them more than once, until another one takes its place
		lines = fmt.Appendf(lines, "%s %s %s[%d]: Failed password for root from 192.0.2.%d port 22 ssh2\n",
			stamps[i/11%3], host, tags[i/5%2], 1000+i, i%250)
		want = append(want, fmt.Sprintf("%d %s 192.0.2.%d", i+1, host, i%250))
		if len(want)%block == 0 {
			engine.Feed(source, lines, now)
			lines = lines[:0]
		}
	}
	for i, w := range want {
		if i >= len(got) || got[i] != w {
			t.Fatalf("line %d gave %q, want %q", i+1, got[min(i, len(got)-1)], w)
		}
	}
}
