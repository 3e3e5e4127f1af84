package enforce

import (
	"net/netip"
	"time"

	"github.com/pialert/pialert/agent/internal/responder"
	"github.com/pialert/pialert/pkg/attack"
)

// jail is what events call the list of these bans.
const jail = "pialert"

// banEvent says that a source was banned, or let in again.
func banEvent(kind attack.Kind, target netip.Prefix, now time.Time) *attack.Event {
	e := &attack.Event{
		Kind: kind, Severity: kind.Severity(), Rule: "responses", Log: "responses", Observed: now, Count: 1, Detail: attack.BanInfo{Jail: jail},
	}
	if target.Addr().Is4() && target.Bits() == 32 {
		e.SourceIP = target.Addr()
	} else {
		e.SourceHost = target.String()
	}
	return e
}

// banned tells of a ban by an event, once until it is over.
func (en *Enforcer) banned(ban responder.Ban) error {
	return en.do(func(emit func(*attack.Event)) {
		en.mu.Lock()
		defer en.mu.Unlock()
		if _, known := en.announced[ban.Target]; !known {
			emit(banEvent(attack.Ban, ban.Target, en.now()))
		}
		en.announced[ban.Target] = ban.Until
		delete(en.pending, ban.Target)
		en.moved[ban.Target] = true
	})
}

// lifted tells that somebody is let in again, if its ban was announced, and forgets it.
func (en *Enforcer) lifted(target netip.Prefix) error {
	return en.do(func(emit func(*attack.Event)) {
		en.mu.Lock()
		defer en.mu.Unlock()
		if _, known := en.announced[target]; known {
			emit(banEvent(attack.Unban, target, en.now()))
		}
		delete(en.announced, target)
		en.drop(target)
	})
}

// ended tells of the bans that are over.
func (en *Enforcer) ended() error {
	en.mu.Lock()
	now := en.now()
	var over []netip.Prefix
	for target, until := range en.announced {
		if !until.After(now) {
			over = append(over, target)
		}
	}
	en.mu.Unlock()
	for _, target := range over {
		if err := en.lifted(target); err != nil {
			return err
		}
	}
	return nil
}
