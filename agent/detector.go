package main

import (
	"log/slog"
	"strings"
	"time"

	"github.com/pialert/pialert/agent/internal/detect"
	"github.com/pialert/pialert/agent/internal/enforce"
	"github.com/pialert/pialert/agent/internal/ingest"
	"github.com/pialert/pialert/agent/internal/intake"
	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/pkg/attack"
)

// detector is the engine, with what is configured of the logs whose lines it is fed.
type detector struct {
	*detect.Engine
	forgeable  *detect.Engine            // of the logs whose lines anybody can forge; nil if there are none
	gone       []string                  // keys of what it remembered
	configured map[string]LogSource      // by the name that a source gives to its chunks
	logs       map[string]*detect.Source // by the key of their positions, once they had a line
	logger     *slog.Logger
}

func newDetector(engine *detect.Engine, configured map[string]LogSource, logger *slog.Logger) *detector {
	return &detector{Engine: engine, configured: configured, logs: map[string]*detect.Source{}, logger: logger}
}

// doubt has an engine of its own look at the logs whose lines anybody can forge, so that these change
// nothing of what is made of others: they end no doubt, make nobody known, and begin no flood.
func (d *detector) doubt(engine *detect.Engine) { d.forgeable = engine }

// forgeableKey is put before the keys of what that engine remembers.
const forgeableKey = "\x00forgeable/"

// Restore implements [ingest.Detector].
func (d *detector) Restore(key string, value []byte) (err error) {
	rest, forgeable := strings.CutPrefix(key, forgeableKey)
	switch {
	case !forgeable:
		_, err = d.Engine.Restore(key, value)
	case d.forgeable != nil:
		_, err = d.forgeable.Restore(rest, value)
	default: // no such log is configured any more
		d.gone = append(d.gone, key)
	}
	return err
}

// engineOf returns the engine for a chunk's lines.
func (d *detector) engineOf(chunk ingest.Chunk) *detect.Engine {
	if d.forgeable != nil && d.configured[chunk.Name].forgeable {
		return d.forgeable
	}
	return d.Engine
}

// Feed implements [ingest.Detector].
func (d *detector) Feed(chunk ingest.Chunk) {
	d.engineOf(chunk).Feed(d.log(chunk), chunk.Data, chunk.Observed)
}

// Forget implements [ingest.Detector].
func (d *detector) Forget(chunk ingest.Chunk) {
	d.engineOf(chunk).Forget(d.log(chunk).Name())
	delete(d.logs, chunk.Source)
}

// Tick implements [ingest.Detector].
func (d *detector) Tick(now time.Time) {
	d.Engine.Tick(now)
	if d.forgeable != nil {
		d.forgeable.Tick(now)
	}
}

// Changes implements [ingest.Detector].
func (d *detector) Changes(visit func(key string, value []byte)) {
	d.Engine.Changes(visit)
	if d.forgeable != nil {
		d.forgeable.Changes(func(key string, value []byte) { visit(forgeableKey+key, value) })
	}
	for _, key := range d.gone {
		visit(key, nil)
	}
	d.gone = nil
}

// Stats adds up what the engines did not report.
func (d *detector) Stats() detect.Stats {
	stats := d.Engine.Stats()
	if d.forgeable != nil {
		other := d.forgeable.Stats()
		stats.Ignored += other.Ignored
		stats.Evicted += other.Evicted
		stats.Unattributed += other.Unattributed
		stats.Unread += other.Unread
		stats.Examples = append(stats.Examples, other.Examples...)
	}
	return stats
}

// log says how the lines of a chunk are to be read.
func (d *detector) log(chunk ingest.Chunk) *detect.Source {
	if log := d.logs[chunk.Source]; log != nil {
		return log
	}
	configured := d.configured[chunk.Name]
	log, err := detect.NewSource(chunk.Source, rule.Type(configured.Type), configured.Format)
	if err != nil { // the configuration was checked, so this cannot come from there
		d.logger.Error("cannot read a log as configured; its lines are recognised instead", "log", chunk.Source, "error", err)
		log, _ = detect.NewSource(chunk.Source, rule.TypeAuto, "")
	}
	switch configured.Hosts {
	case hostHeader:
		log.Of(detect.HeaderHost)
	case hostSender:
		log.Of(detect.SenderHost)
	}
	d.logs[chunk.Source] = log
	return log
}

// isBan says whether an event is of another program's ban in a log.
func isBan(e *attack.Event) bool { return e.Kind == attack.Ban || e.Kind == attack.Unban }

// reporting is a detector that also keeps what is remembered of reports.
type reporting struct {
	ingest.Detector
	reports *intake.Memory
	emit    func(*attack.Event)
}

// reportsKey is put before the keys of that.
const reportsKey = "\x00reports/"

// Restore implements [ingest.Detector].
func (d reporting) Restore(key string, value []byte) error {
	if name, ok := strings.CutPrefix(key, reportsKey); ok {
		return d.reports.Restore(name, value)
	}
	return d.Detector.Restore(key, value)
}

// Tick implements [ingest.Detector].
func (d reporting) Tick(now time.Time) {
	d.Detector.Tick(now)
	d.reports.Tick(now, d.emit)
}

// Changes implements [ingest.Detector].
func (d reporting) Changes(visit func(key string, value []byte)) {
	d.Detector.Changes(visit)
	d.reports.Changes(func(key string, value []byte) { visit(reportsKey+key, value) })
}

// responding is a detector that also keeps what responses remember.
type responding struct {
	ingest.Detector
	responses *enforce.Enforcer
}

// Restore implements [ingest.Detector].
func (d responding) Restore(key string, value []byte) error {
	if own, err := d.responses.Restore(key, value); own {
		return err
	}
	return d.Detector.Restore(key, value)
}

// Changes implements [ingest.Detector].
func (d responding) Changes(visit func(key string, value []byte)) {
	d.Detector.Changes(visit)
	d.responses.Changes(visit)
}
