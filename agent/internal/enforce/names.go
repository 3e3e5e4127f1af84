package enforce

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/pialert/pialert/agent/internal/responder"
)

// tellEvery is how often the responder is told again what it knows: it may have begun anew.
const tellEvery = time.Minute

// telling is what the responder was told of names in the allow list last.
type telling struct {
	names map[string][]netip.Addr
	at    time.Time
	err   string
}

// tell tells the responder what names have, when that has changed and every minute.
// A name that nothing was found for is left out: what the responder was told before stays.
func (t *telling) tell(ctx context.Context, en *Enforcer) {
	names := en.names()
	for name, list := range names {
		if names[name] = list[:min(len(list), responder.MaxAddresses)]; len(list) == 0 {
			delete(names, name)
		}
	}
	now := en.now()
	since := now.Sub(t.at)
	if len(names) == 0 || since >= 0 && since < tellEvery && maps.EqualFunc(names, t.names, slices.Equal[[]netip.Addr]) {
		return
	}
	err := en.responder.Tell(ctx, names)
	if !errors.Is(err, responder.ErrRefused) {
		t.err = ""
	} else if t.err != err.Error() {
		t.err = err.Error()
		en.logger.Warn("the responder does not take the addresses of names in responses.allow", "error", err)
	}
	if err == nil || t.err != "" {
		t.names, t.at = names, now
	}
}
