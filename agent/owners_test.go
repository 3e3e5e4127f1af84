package main

import (
	"io"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/detect/episode"
	"github.com/pialert/pialert/agent/internal/policy"
	"github.com/pialert/pialert/agent/internal/policy/replay"
	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/agent/internal/scan"
	"github.com/pialert/pialert/agent/internal/value"
	"github.com/pialert/pialert/pkg/attack"
)

// recorded returns what the project's recordings of attacked servers say.
func recorded(t *testing.T) (events []attack.Event) {
	t.Helper()
	var files []string
	for _, pattern := range []string{"../packaging/demo/*.log", "internal/detect/testdata/real/*.log"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		files = append(files, found...)
	}
	rules, err := loadRules(defaults(), "")
	if err != nil {
		t.Fatal(err)
	}
	options := scan.Options{Type: rule.TypeAuto, Files: files, Stdout: io.Discard, Now: time.Now, Each: func(e *attack.Event) { events = append(events, *e) }}
	options.Detect.Rules = rules
	options.Detect.Spreads = &episode.DefaultSpreads
	if _, err := scan.Run(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	return events
}

// Take any of the addresses of recorded attacks for the owner's: who logged in before, or stands in the
// allow list by himself, with his network or as a part of it, is never banned, nor is any network that he
// is in; the others are, as they would have been.
func TestRandomOwnersAreNeverBanned(t *testing.T) {
	all := recorded(t)
	var sources []netip.Addr
	var first time.Time
	for _, e := range all {
		if !e.SourceIP.IsValid() || e.Logged.IsZero() {
			continue
		}
		if !slices.Contains(sources, e.SourceIP) {
			sources = append(sources, e.SourceIP)
		}
		if first.IsZero() || e.Logged.Before(first) {
			first = e.Logged
		}
	}
	past := func() *replay.Past {
		p := &replay.Past{}
		for i := range all {
			p.Add(&all[i])
		}
		return p
	}
	cfg := defaults()
	cfg.Responses.Include = []string{"0.0.0.0/0", "::/0"} // recordings are of documentation addresses
	cfg.Responses.Network = policy.Network{V4: 24, V6: 48, After: 2}
	everybody, err := cfg.judge(past())
	if err != nil {
		t.Fatal(err)
	}
	if len(everybody.Banned) < 10 {
		t.Fatalf("%d of %d sources would be banned: the recordings prove nothing", len(everybody.Banned), len(sources))
	}
	random := rand.New(rand.NewPCG(1, 1))
	for range 60 {
		mine, cfg := past(), cfg
		cfg.Responses.Allow = nil
		owners := map[netip.Addr]bool{}
		for range 1 + random.IntN(4) {
			owner := sources[random.IntN(len(sources))]
			owners[owner] = true
			prefix := value.Source(owner)
			switch random.IntN(4) {
			case 0:
				cfg.Responses.Allow = append(cfg.Responses.Allow, owner.String())
			case 1:
				network, _ := owner.Prefix(prefix.Bits() - random.IntN(8))
				cfg.Responses.Allow = append(cfg.Responses.Allow, network.String())
			default:
				mine.Add(&attack.Event{Kind: attack.SSHAccepted, Logged: first.Add(-time.Duration(1 + random.IntN(1000))), SourceIP: owner, Count: 1})
			}
		}
		result, err := cfg.judge(mine)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range result.Banned {
			for owner := range owners {
				if one.Target.Overlaps(value.Source(owner)) {
					t.Fatalf("the owner at %s would be banned by %s: %s; owners %v, allowed %q", owner, one.Target, one.Reason, owners, cfg.Responses.Allow)
				}
			}
		}
		for _, one := range everybody.Banned {
			harmless := one.Target.Bits() < value.Source(one.Target.Addr()).Bits() // a network
			for owner := range owners {
				near, _ := owner.Prefix(min(one.Target.Bits(), 16, owner.BitLen()))
				harmless = harmless || near.Overlaps(one.Target)
			}
			if !harmless && !slices.ContainsFunc(result.Banned, func(other *replay.Banned) bool { return other.Target == one.Target }) {
				t.Fatalf("%s is spared, though it is nobody's near %v", one.Target, owners)
			}
		}
	}
}
