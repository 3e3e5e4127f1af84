package enforce

import (
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/responder"
)

func TestResponsesInWords(t *testing.T) {
	now := time.Now()
	for want, stats := range map[string]Stats{
		"responses are off": {State: stateOff},
		"responses observe: 3 bans would have been decided, 1 spared":                                           {State: stateObserving, Decided: 3, Spared: 1},
		"responses are enforcing: 2 banned now; since the start 3 decided, 1 spared, 0 refused":                 {State: stateEnforcing, Bans: 2, Decided: 3, Spared: 1},
		"the trial ends in 4m0s; keep it with: sudo pialert-agent responses confirm":                            {State: stateTrial, Trial: now.Add(4 * time.Minute)},
		"nobody confirmed within five minutes that bans are to be enforced; confirm it with: " + confirmCommand: {State: stateOver},
		"nobody carries bans out, and 4 wait: away":                                                             {State: stateEnforcing, Mode: Enforce, Error: "away", Pending: 4},
		`nftables does not carry bans out: no\tkernel`:                                                          {Backends: []responder.BackendStatus{{Name: "nftables", Error: "no\tkernel"}}},
	} {
		text := strings.Join(append([]string{stats.Summary(now)}, stats.Notes()...), "\n")
		if !strings.Contains(text, want) {
			t.Errorf("%+v is %q, want %q", stats, text, want)
		}
	}
}
