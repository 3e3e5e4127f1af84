package detect

import (
	"net/netip"
	"time"

	"github.com/pialert/pialert/agent/internal/detect/episode"
	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/pkg/attack"
)

// Options say how an Engine works.
type Options struct {
	Rules    *rule.Set             // from [Load]
	Ignore   func(netip.Addr) bool // says which sources are never reported, and counted as ignored only; nil means none
	Year     int                   // year of the first line, for stamps without one; 0 means the latest that is not in the future
	Location *time.Location        // of stamps without a zone; nil means the local one
	Remember bool                  // keep track of what [Engine.Changes] returns

	Floods  *episode.Limits  // what makes a flood of requests; nil means that none is looked for
	Spreads *episode.Spreads // what makes scans and sprays; nil means that none are looked for

	// Missed takes lines of daemons that there are rules for, which no rule takes; nil if nobody asks.
	// The line is valid during the call.
	Missed func(src *Source, line []byte, number uint64)

	// Behind says whether lines of a log, by the name of its Source, were written and not fed yet, where logs are
	// followed; nil says that they are read in the order of their stamps.
	Behind func(log string) bool

	// Emit takes an event as soon as it is found. The event is the engine's and is overwritten by
	// the next one. Line is the number of the line that the event stems from, counted from 1 for
	// each Source, which need not be the last one fed; 0 if that line was read before a restart.
	Emit func(event *attack.Event, line uint64)
}
