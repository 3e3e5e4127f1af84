package intake

import (
	"strings"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// Memory is what is remembered of reports. It belongs to one goroutine at a time.
type Memory struct {
	Bans   *Bans
	Keys   *Keys
	minute int64 // of the last Tick that looked at the keys
}

// NewMemory returns a Memory of nothing.
func NewMemory() *Memory { return &Memory{Bans: NewBans(), Keys: NewKeys()} }

const (
	banPrefix = "ban/"
	keyPrefix = "key/"
	// reporter is whose the keys of reports are; no token has this name.
	reporter = "\x00report"
)

// Report takes a report and adds its event, unless one with the same key was taken before.
func (m *Memory) Report(r *Report, now time.Time, add func(*attack.Event)) {
	if r.Key == "" || m.Keys.Take(reporter, r.Key, now) {
		m.Bans.Report(r, now, add)
	}
}

// Tick forgets what is over, and adds what waited for nothing.
func (m *Memory) Tick(now time.Time, add func(*attack.Event)) {
	m.Bans.Tick(now, add)
	if minute := now.Unix() / 60; minute != m.minute {
		m.minute = minute
		m.Keys.Tick(now)
	}
}

// Changes visits what is to be remembered and differs from what was visited last; a nil value deletes
// its key.
func (m *Memory) Changes(visit func(key string, value []byte)) {
	m.Bans.Changes(func(key string, value []byte) { visit(banPrefix+key, value) })
	m.Keys.Changes(func(key string, value []byte) { visit(keyPrefix+key, value) })
}

// Restore takes back what Changes visited.
func (m *Memory) Restore(key string, value []byte) error {
	if name, ok := strings.CutPrefix(key, keyPrefix); ok {
		return m.Keys.Restore(name, value)
	}
	return m.Bans.Restore(strings.TrimPrefix(key, banPrefix), value)
}
