package enforce

import (
	"context"
	"time"

	"github.com/pialert/pialert/agent/internal/responder"
	"github.com/pialert/pialert/pkg/attack"
)

// tellAgain is the least time between two events of one backend's failure.
const tellAgain = time.Hour

// tend asks how the responder fares, and tells by an event of what fails.
func (en *Enforcer) tend(ctx context.Context) {
	status, err := en.responder.Status(ctx)
	if ctx.Err() != nil {
		return
	}
	failures := map[string]string{"responder": ""}
	if err != nil {
		failures["responder"] = err.Error()
	}
	for _, backend := range status.Backends {
		failures[backend.Name] = backend.Error
	}
	var tell []string
	now := en.now()
	en.mu.Lock()
	if en.stats.Bans = status.Bans; err == nil {
		en.stats.Backends = append([]responder.BackendStatus{}, status.Backends...)
	}
	for name, problem := range failures {
		known := en.backends[name]
		switch {
		case problem == "":
			known.since = time.Time{}
		case known.since.IsZero():
			known.since = now
		case en.mode == Enforce && now.Sub(known.reported) >= tellAgain: // twice in a row: no hiccup
			known.reported = now
			tell = append(tell, name)
		}
		en.backends[name] = known
	}
	en.mu.Unlock()
	for _, name := range tell {
		event := &attack.Event{
			Kind: attack.Fault, Severity: attack.Fault.Severity(), Rule: "responses", Log: "responses", SourceHost: name, Observed: now, Count: 1,
		}
		if err := en.do(func(emit func(*attack.Event)) { emit(event) }); err != nil {
			en.logger.Warn("cannot tell of a failing backend", "backend", name, "error", err)
		}
	}
}
