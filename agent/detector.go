package main

import (
	"log/slog"

	"github.com/pialert/pialert/agent/internal/detect"
	"github.com/pialert/pialert/agent/internal/ingest"
	"github.com/pialert/pialert/agent/internal/rule"
)

// detector is the engine, with what is configured of the logs whose lines it is fed.
type detector struct {
	*detect.Engine
	configured map[string]LogSource      // by the name that a source gives to its chunks
	logs       map[string]*detect.Source // by the key of their positions, once they had a line
	logger     *slog.Logger
}

func newDetector(engine *detect.Engine, configured map[string]LogSource, logger *slog.Logger) *detector {
	return &detector{Engine: engine, configured: configured, logs: map[string]*detect.Source{}, logger: logger}
}

// Restore implements [ingest.Detector].
func (d *detector) Restore(key string, value []byte) error {
	_, err := d.Engine.Restore(key, value)
	return err
}

// Feed implements [ingest.Detector].
func (d *detector) Feed(chunk ingest.Chunk) {
	d.Engine.Feed(d.log(chunk), chunk.Data, chunk.Observed)
}

// Forget implements [ingest.Detector].
func (d *detector) Forget(chunk ingest.Chunk) {
	d.Engine.Forget(d.log(chunk).Name())
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
	case hostsHeader:
		log.Of(detect.HeaderHost)
	case hostsSender:
		log.Of(detect.SenderHost)
	}
	d.logs[chunk.Source] = log
	return log
}
