package main

import (
	"time"

	"github.com/pialert/pialert/agent/internal/enforce"
	"github.com/pialert/pialert/agent/internal/responder"
	"github.com/pialert/pialert/pkg/attack"
)

// respond gives a run what has decisions carried out.
func (d *daemon) respond(cfg Config, run *detection) error {
	allowed, err := cfg.Responses.allowed(nil, d.logger)
	if err != nil {
		return err
	}
	never, err := cfg.Responses.exempt(allowed, d.peerAddresses)
	if err != nil {
		return err
	}
	run.allowed, run.responder = allowed, responder.Client{Socket: cfg.Responses.Socket}
	run.responses = enforce.New(enforce.Options{
		Mode: cfg.Responses.Mode, Policy: cfg.Responses.rules(), Never: never, Responder: run.responder,
		Logins: never.Remote, Names: allowed.Names, State: cfg.State, Logger: d.logger, Now: time.Now,
		Do: func(do func(emit func(*attack.Event))) error { return run.pipeline.Do(do) },
	})
	return nil
}
