package history

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// BenchmarkRollups measures commits of 1,000 events each, and what part of their time the roll-ups take:
// they are collected and written twice, and once more alone, so that the difference is theirs.
func BenchmarkRollups(b *testing.B) {
	for _, addresses := range []uint32{16, 1 << 20} {
		b.Run(fmt.Sprint(addresses, " addresses"), func(b *testing.B) {
			now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
			s, err := openStore(b.TempDir()+"/history.db", now, listBytes(256<<20), nil)
			if err != nil {
				b.Fatal(err)
			}
			defer s.close()
			known, random := newSummary(), uint32(1)
			var crowd crowd
			next := func() uint32 { random ^= random << 13; random ^= random >> 17; random ^= random << 5; return random }
			var whole, rolled time.Duration
			first := uint64(1)
			for b.Loop() {
				now = now.Add(time.Second)
				events := make([]attack.Event, 1000)
				for i := range events {
					var raw [4]byte
					binary.BigEndian.PutUint32(raw[:], next()%addresses<<12|10)
					events[i] = attack.Event{
						Kind: attack.SSHLogin, Severity: attack.Medium, Rule: "sshd-failed-password", Logged: now, Observed: now,
						SourceIP: netip.AddrFrom4(raw), SourcePort: 40022, User: fmt.Sprint("user", next()%addresses), Count: 1,
						Log: "/var/log/auth.log", Detail: attack.SSH{Method: "password"},
					}
				}
				group := []pending{{batch: batch{agent: "vps", epoch: 1, first: first, events: events}, arrived: now}}
				first += 1000
				begun := time.Now()
				if known, err = s.write(known, &crowd, group, nil); err != nil {
					b.Fatal(err)
				}
				whole += time.Since(begun)
				c := change{store: s, next: known, crowd: &crowd}
				err := s.transaction(func() error {
					begun := time.Now()
					defer func() { rolled += time.Since(begun) }()
					c.rolled.begin(now, len(events))
					for i := range events {
						c.roll(totalKey{"vps", attack.SSHLogin, false}, 1, &events[i])
					}
					return s.putLists(&c.rolled.lists, c.rolled.zone, known.last+1<<40)
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(whole.Microseconds())/float64(b.N), "µs/commit")
			b.ReportMetric(float64(rolled.Microseconds())/float64(b.N), "µs-of-rollups/commit")
			b.ReportMetric(100*rolled.Seconds()/(whole-rolled).Seconds(), "%")
		})
	}
}
