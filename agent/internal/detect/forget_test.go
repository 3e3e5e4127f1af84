package detect

import (
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/pkg/attack"
)

// A log that is gone leaves nothing behind, neither in memory nor in what was saved, except what
// was pending in it, which counts.
func TestForget(t *testing.T) {
	t.Parallel()
	rules, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	engine, err := New(Options{Rules: rules, Location: time.UTC, Remember: true, Emit: func(*attack.Event, uint64) { found++ }})
	if err != nil {
		t.Fatal(err)
	}
	saved := map[string][]byte{}
	save := func() {
		engine.Changes(func(key string, value []byte) {
			if saved[key] = value; value == nil {
				delete(saved, key)
			}
		})
	}
	save() // what no log has to do with
	before := len(saved)

	src, err := NewSource("auth.log", rule.TypeAuto, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"Jan 31 12:00:00 server sshd[900]: Failed password for root from 192.0.2.1 port 40022 ssh2",
		"Jan 31 12:00:01 server sshd[901]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.2  user=root",
	} {
		engine.Feed(src, []byte(line), now)
	}
	save()
	if found != 1 || len(saved) < before+3 {
		t.Fatalf("%d events and %d keys before the log is gone, want 1 and at least 3 more than %d", found, len(saved), before)
	}
	engine.Forget("auth.log")
	save()
	if found != 2 {
		t.Errorf("%d events, want the pending one as well", found)
	}
	for key := range saved { // failures are held against their network, not the log
		if strings.HasPrefix(key, keyLogin) {
			delete(saved, key)
		}
	}
	if len(saved) != before || len(engine.memories) != 1 {
		t.Errorf("%d keys and %d memories are left, want %d and the shared one", len(saved), len(engine.memories), before)
	}
}
