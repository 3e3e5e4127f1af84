package main

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
func (r *responses) banned(ban responder.Ban) error {
	return r.do(func(emit func(*attack.Event)) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if _, known := r.announced[ban.Target]; !known {
			emit(banEvent(attack.Ban, ban.Target, r.now()))
		}
		r.announced[ban.Target] = ban.Until
		delete(r.pending, ban.Target)
		r.moved[ban.Target] = true
	})
}

// lifted tells that somebody is let in again, if its ban was announced, and forgets it.
func (r *responses) lifted(target netip.Prefix) error {
	return r.do(func(emit func(*attack.Event)) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if _, known := r.announced[target]; known {
			emit(banEvent(attack.Unban, target, r.now()))
		}
		delete(r.announced, target)
		r.drop(target)
	})
}

// ended tells of the bans that are over.
func (r *responses) ended() error {
	r.mu.Lock()
	now := r.now()
	var over []netip.Prefix
	for target, until := range r.announced {
		if !until.After(now) {
			over = append(over, target)
		}
	}
	r.mu.Unlock()
	for _, target := range over {
		if err := r.lifted(target); err != nil {
			return err
		}
	}
	return nil
}
