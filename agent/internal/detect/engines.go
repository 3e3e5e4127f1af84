package detect

import (
	"strings"
	"time"
)

// Engines are an Engine for the logs that only this machine's own programs write, and another one for
// those whose lines anybody can forge, such as what came by UDP. So forged lines change nothing of what
// is made of others: they end no doubt, make nobody known, and begin no flood.
type Engines struct {
	own       *Engine
	forgeable *Engine  // nil if there are no such logs
	gone      []string // keys of what it remembered
}

// Apart returns engines that share nothing; forgeable may be nil, and then every log is the own one's.
func Apart(own, forgeable *Engine) *Engines { return &Engines{own: own, forgeable: forgeable} }

// of returns the engine for a log's lines.
func (e *Engines) of(src *Source) *Engine {
	if src.forgeable && e.forgeable != nil {
		return e.forgeable
	}
	return e.own
}

// Feed is [Engine.Feed].
func (e *Engines) Feed(src *Source, lines []byte, observed time.Time) {
	e.of(src).Feed(src, lines, observed)
}

// Forget is [Engine.Forget].
func (e *Engines) Forget(src *Source) { e.of(src).Forget(src.Name()) }

// Tick is [Engine.Tick].
func (e *Engines) Tick(now time.Time) {
	e.own.Tick(now)
	if e.forgeable != nil {
		e.forgeable.Tick(now)
	}
}

// keyForgeable is put before the keys of what the engine of forgeable logs remembers.
const keyForgeable = "\x00forgeable/"

// Restore is [Engine.Restore]. What was remembered of forgeable logs is deleted by the next Changes
// where there are none any more.
func (e *Engines) Restore(key string, value []byte) (err error) {
	rest, forgeable := strings.CutPrefix(key, keyForgeable)
	switch {
	case !forgeable:
		_, err = e.own.Restore(key, value)
	case e.forgeable != nil:
		_, err = e.forgeable.Restore(rest, value)
	default:
		e.gone = append(e.gone, key)
	}
	return err
}

// Changes is [Engine.Changes].
func (e *Engines) Changes(put func(key string, value []byte)) {
	e.own.Changes(put)
	if e.forgeable != nil {
		e.forgeable.Changes(func(key string, value []byte) { put(keyForgeable+key, value) })
	}
	for _, key := range e.gone {
		put(key, nil)
	}
	e.gone = nil
}

// Stats adds up what both did not report.
func (e *Engines) Stats() Stats {
	stats := e.own.Stats()
	if e.forgeable != nil {
		other := e.forgeable.Stats()
		stats.Ignored += other.Ignored
		stats.Evicted += other.Evicted
		stats.Unattributed += other.Unattributed
		stats.Crowded += other.Crowded
		stats.Untrusted += other.Untrusted
		stats.Unread += other.Unread
		stats.Examples = append(stats.Examples, other.Examples...)
	}
	return stats
}
