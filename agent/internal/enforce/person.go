package enforce

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/pialert/pialert/agent/internal/responder"
)

// What a person decides goes to the responder at once, or fails, and is reported by events like every other ban.

// Ban bans whom a person names, but nobody who is never banned.
func (en *Enforcer) Ban(ctx context.Context, request responder.Request) (responder.Ban, error) {
	if why, never := en.never.Why(request.Target); never {
		return responder.Ban{}, fmt.Errorf("%s is never banned: %s", request.Target, why)
	}
	ban, _, err := en.responder.Ban(ctx, request)
	if err != nil {
		return ban, err
	}
	en.recount(ctx)
	return ban, en.banned(ban)
}

// Unban lets in again whom a person names; [responder.ErrNotBanned] says that he was not banned.
func (en *Enforcer) Unban(ctx context.Context, target netip.Prefix) (responder.Ban, error) {
	ban, err := en.responder.Unban(ctx, target)
	if err != nil {
		return ban, err
	}
	en.recount(ctx)
	return ban, en.lifted(ban.Target)
}

// Flush lets everybody in again, and returns how many that were.
func (en *Enforcer) Flush(ctx context.Context) (int, error) {
	var banned []netip.Prefix
	err := en.responder.Bans(ctx, func(ban responder.Listed) error {
		banned = append(banned, ban.Target)
		return nil
	})
	if err != nil {
		return 0, err
	}
	n, err := en.responder.Flush(ctx)
	if err != nil {
		return n, err
	}
	en.recount(ctx)
	for _, target := range banned {
		err = errors.Join(err, en.lifted(target))
	}
	return n, err
}

// recount has the number of bans asked at once that is asked every ten seconds: a person looks at what he did, or at what
// he reads of in the log.
func (en *Enforcer) recount(ctx context.Context) {
	status, err := en.responder.Status(ctx)
	if err != nil {
		return
	}
	en.mu.Lock()
	defer en.mu.Unlock()
	en.stats.Bans = status.Bans
}
