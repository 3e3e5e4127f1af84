package detect

import (
	"math/bits"
	"net/netip"
	"strings"
	"time"

	"github.com/pialert/pialert/agent/internal/detect/connection"
	"github.com/pialert/pialert/agent/internal/detect/episode"
	"github.com/pialert/pialert/agent/internal/detect/login"
	"github.com/pialert/pialert/agent/internal/value"
	"github.com/pialert/pialert/pkg/attack"
)

// Keys of what is remembered of episodes.
const (
	keyScan        = "scan\x00"
	keySpray       = "spray\x00"
	keyDistributed = "distributed\x00"
)

// spreads are the episodes in which one hits many: a scan many paths that are not there, a spray many
// user names, and a distributed attack, the other way round, one user name from many addresses.
type spreads struct {
	scans, sprays, distributed *episode.Spread // nil if they are not looked for
	log, machine               string          // of the line at work, for an episode that it starts
	addr                       netip.Addr      // of the last line; the next one's is often the same
	network, user              episode.Subject // of that address, and of the line at work
	observed                   time.Time       // when the last one was read
	event                      attack.Event    // of the episode at work
}

func (e *Engine) newSpreads() {
	limits := e.opts.Spreads
	if limits == nil {
		return
	}
	e.spreads.scans = episode.NewSpread(limits.Scans, func(s episode.SpreadEvent) { e.emitSpread(attack.HTTPScan, "http-scan", s) })
	e.spreads.sprays = episode.NewSpread(limits.Sprays, func(s episode.SpreadEvent) { e.emitSpread(attack.SSHSpray, "ssh-spray", s) })
	e.spreads.distributed = episode.NewSpread(limits.Distributed, func(s episode.SpreadEvent) {
		e.emitSpread(attack.SSHDistributed, "ssh-distributed", s)
	})
}

// all returns the kinds of episodes with the keys under which they are saved.
func (s *spreads) all(each func(key string, spread *episode.Spread)) {
	if s.scans != nil {
		each(keyScan, s.scans)
		each(keySpray, s.sprays)
		each(keyDistributed, s.distributed)
	}
}

// spread counts an attempt to log in by ssh.
func (s *spreads) login(ev *attack.Event, at time.Time) {
	if s.sprays == nil || !ev.SourceIP.IsValid() || ev.User == "" {
		return
	}
	s.log, s.machine, s.observed = ev.Log, ev.Host, ev.Observed
	s.user.User = ev.User
	s.sprays.Hit(s.networkOf(ev.SourceIP), connection.ShortHash(ev.User), ev.SourceIP, at)
	s.distributed.Hit(&s.user, attacker(ev.SourceIP), ev.SourceIP, at)
}

// networkOf returns the network of an address.
func (s *spreads) networkOf(addr netip.Addr) *episode.Subject {
	if addr != s.addr {
		s.addr, s.network.Network = addr, login.Network(addr)
	}
	return &s.network
}

// attacker is a hash of an address, the same for all of a /64 of IPv6.
func attacker(addr netip.Addr) uint32 {
	high, low := value.Words(addr)
	if addr.Is4() {
		high = low
	}
	return uint32(bits.ReverseBytes64(high) * 0x9e3779b97f4a7c15 >> 32)
}

// request counts a request of an access log.
func (s *spreads) request(v *visit, log, machine string, at, observed time.Time) {
	if s.scans == nil || !v.addr.IsValid() {
		return
	}
	s.log, s.machine, s.observed = log, machine, observed
	subject := s.networkOf(v.addr)
	switch {
	case !v.missing || isCrawler(v.addr):
		s.scans.Other(subject, at)
	case v.linked:
		s.scans.Linked(subject, v.path, v.addr, at)
	default:
		s.scans.Hit(subject, v.path, v.addr, at)
	}
}

// emitSpread reports an event of an episode.
func (e *Engine) emitSpread(kind attack.Kind, rule string, s episode.SpreadEvent) {
	ev := &e.spreads.event
	*ev = attack.Event{
		Kind: kind, Severity: kind.Severity(), Rule: rule, Logged: s.At.In(e.opts.Location), Observed: e.observed,
		Count: min(s.Count, attack.MaxCount), Log: e.spreads.log, Host: e.spreads.machine, SourceIP: s.Addr, User: s.User, Detail: s.Episode,
	}
	if ev.Observed.IsZero() { // nothing was read since a restart
		ev.Observed = ev.Logged
	}
	e.opts.Emit(ev, 0)
}

// tickSpreads ends episodes that stopped, by the clock, once nothing was read for a while.
func (e *Engine) tickSpreads(now time.Time) {
	if e.spreads.observed.IsZero() {
		e.spreads.observed = now
	}
	if quiet := now.Add(-quietBefore); quiet.After(e.spreads.observed) {
		e.spreads.all(func(_ string, s *episode.Spread) { s.Tick(quiet) })
	}
}

func (e *Engine) finishSpreads() {
	e.spreads.all(func(_ string, s *episode.Spread) { s.Finish() })
}

func (e *Engine) changesSpreads(put func(key string, value []byte)) {
	e.spreads.all(func(key string, s *episode.Spread) {
		s.Changes(func(name string, value []byte) { put(key+name, value) })
	})
}

// restoreSpread takes back what changesSpreads gave.
func (e *Engine) restoreSpread(kind, name string, value []byte) (err error) {
	e.spreads.all(func(key string, s *episode.Spread) {
		if strings.TrimSuffix(key, "\x00") == kind {
			err = s.Restore(name, value)
		}
	})
	return err
}

// visit is a request of an access log, whether a rule takes it or not.
type visit struct {
	addr    netip.Addr
	logged  time.Time
	dated   bool
	method  []byte
	missing bool   // nothing is there, or nothing that may be asked for
	linked  bool   // the client says that a page links to it
	path    uint32 // hash of the path, where missing
	machine []byte // that wrote the line; nil if it is the agent's own
}

// quietBefore is how long nothing was read when the clock starts to end episodes.
const quietBefore = 10 * time.Second
