package enforce

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/pialert/pialert/agent/internal/responder"
)

// byPolicy says whether a ban was decided here, not by a person.
func byPolicy(ban responder.Ban) bool { return ban.Evidence != "" }

// compare lets those in again who must not be banned any more: who has logged in since, whom a name of the
// allow list now has, or all that were decided, where bans are no longer enforced. And whoever the
// responder no longer bans is decided about anew.
func (en *Enforcer) compare(ctx context.Context) error {
	now := en.now()
	en.mu.Lock()
	state := en.trial.state(en.mode, now)
	en.mu.Unlock()
	enforcing := state == stateEnforcing || state == stateTrial
	banned := map[netip.Prefix]bool{}
	lift := map[netip.Prefix]string{}
	err := en.responder.Bans(ctx, func(ban responder.Listed) error {
		banned[ban.Target] = true
		switch why, never := en.never.Why(ban.Target); {
		case never:
			lift[ban.Target] = why
		case byPolicy(ban.Ban) && !enforcing:
			lift[ban.Target] = "bans are not enforced"
		case byPolicy(ban.Ban) && en.welcome(ban.Target, now):
			lift[ban.Target] = "somebody logged in from there"
		}
		return nil
	})
	if err != nil {
		return err
	}
	for target, why := range lift {
		if _, err := en.responder.Unban(ctx, target); err != nil && !errors.Is(err, responder.ErrNotBanned) {
			return err
		}
		en.logger.Info("let in again", "source", target, "because", why)
		if err := en.lifted(target); err != nil {
			return fmt.Errorf("cannot tell of an unban: %w", err)
		}
	}
	en.mu.Lock()
	var gone []netip.Prefix
	for target := range en.announced {
		if !banned[target] {
			gone = append(gone, target)
		}
	}
	if enforcing {
		for _, target := range en.policy.Banned(now) {
			if _, waits := en.pending[target]; !banned[target] && !waits {
				en.policy.Lift(target)
			}
		}
	}
	en.mu.Unlock()
	for _, target := range gone { // somebody else had the responder forget them
		if err := en.lifted(target); err != nil {
			return fmt.Errorf("cannot tell of an unban: %w", err)
		}
	}
	return nil
}

func (en *Enforcer) welcome(target netip.Prefix, now time.Time) bool {
	en.mu.Lock()
	defer en.mu.Unlock()
	return en.policy.Welcome(target, now)
}
