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

// detector is the engines, with what is configured of the logs whose lines they are fed.
type detector struct {
	*detect.Engines
	configured map[string]LogSource      // by the name that a source gives to its chunks
	logs       map[string]*detect.Source // by the key of their positions, once they had a line
	logger     *slog.Logger
}

func newDetector(engines *detect.Engines, configured map[string]LogSource, logger *slog.Logger) *detector {
	return &detector{Engines: engines, configured: configured, logs: map[string]*detect.Source{}, logger: logger}
}

// Feed implements [ingest.Detector].
func (d *detector) Feed(chunk ingest.Chunk) {
	d.Engines.Feed(d.log(chunk), chunk.Data, chunk.Observed)
}

// Forget implements [ingest.Detector].
func (d *detector) Forget(chunk ingest.Chunk) {
	d.Engines.Forget(d.log(chunk))
	delete(d.logs, chunk.Source)
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
	if configured.forgeable {
		log.Forgeable()
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
