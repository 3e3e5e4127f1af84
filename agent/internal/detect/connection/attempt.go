package connection

import (
	"github.com/pialert/pialert/agent/internal/header"
	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/pkg/attack"
)

// take takes up to n from a counter and returns how much.
func take(from *uint32, n uint64) uint64 {
	taken := min(uint64(*from), n)
	*from -= uint32(taken)
	return taken
}

// newAttempts returns how many of n attempts no other reporter has written of yet. Several
// reporters write of the same attempts, in an order that differs, and some skip some of them: what
// counts is the most that one of them wrote of.
func (c *connection) newAttempts(reporter uint8, n uint64) uint64 {
	if reporter == 0 {
		return n
	}
	var most uint32
	for _, attempts := range c.reported {
		most = max(most, attempts)
	}
	own := &c.reported[reporter-1]
	*own = uint32(min(uint64(*own)+n, 1<<31))
	return min(uint64(*own)-min(uint64(most), uint64(*own)), n)
}

// try counts n attempts, at once if the address is known. Where a process serves one connection, its
// next line may give the address of a peer that this one only gives the name of.
func (l *Log) try(c *connection, line *Line, n uint64) {
	if n == 0 {
		return
	}
	if !c.addr.IsValid() && line.Rule.Kind != attack.LocalAuth && (line.Fields.Host == (rule.Span{}) || line.Rule.Join == rule.JoinPID) {
		l.await(c, line, n)
		c.counted = true
		return
	}
	c.clear()
	c.counted = true
	c.attempts += uint32(min(n, header.MaxRepeats))
	l.count(line, n, c)
}

// await keeps attempts until a line gives their address. Those that wait already are of the same
// peer: they wait on if they are alike, and count under what is known of it otherwise.
func (l *Log) await(c *connection, line *Line, n uint64) {
	p := &c.pending
	if p.Rule != nil && p.Rule.Role != rule.RoleDoubt && p.Rule.Role != rule.RoleTrial {
		if p.Rule == line.Rule && p.User == string(line.Fields.User.In(line.Text)) {
			p.Count += n
			return
		}
		l.settle(c)
	}
	l.suspend(c, line, n)
}

// suspend keeps the line for later.
func (l *Log) suspend(c *connection, line *Line, n uint64) { l.read(&c.pending, line, n) }

// count emits n attempts that a line proves. What the line does not say is taken from its
// connection, which may be nil.
func (l *Log) count(line *Line, n uint64, c *connection) {
	a := &l.attempt
	l.read(a, line, n)
	if c != nil {
		if !a.Addr.IsValid() {
			a.Addr = c.addr
		}
		if a.Port == 0 {
			a.Port = c.port
		}
	}
	l.emit(a)
}

// read makes an attempt of what a line says. It sets each field by itself: that is faster than to
// copy the whole.
func (l *Log) read(a *Attempt, line *Line, n uint64) {
	f := &line.Fields
	a.Rule, a.Count = line.Rule, n
	a.Addr, a.Port, a.InvalidUser = f.Source, f.Port, f.InvalidUser
	a.Time, a.Log, a.Line, a.Observed = line.Time, line.Log, line.Number, line.Observed
	a.Host, a.User = l.field(line, f.Host), line.User
	a.Method, a.Reason = l.field(line, f.Method), l.field(line, f.Reason)
	a.Target, a.TTY, a.Jail = l.field(line, f.Target), l.field(line, f.TTY), l.field(line, f.Jail)
	a.Fingerprint, a.Machine = l.field(line, f.Fingerprint), l.names.String(line.Machine)
}

// field returns a field of a line.
func (l *Log) field(line *Line, at rule.Span) string {
	if at.From == at.To { // as most are: decided where the call is inlined
		return ""
	}
	return l.names.String(line.Text[at.From:at.To])
}

// settle counts what is pending.
func (l *Log) settle(c *connection) {
	if c.pending.Rule == nil {
		return
	}
	a := &l.attempt
	*a = c.pending
	c.clear()
	c.counted = true
	c.attempts += uint32(min(a.Count, header.MaxRepeats))
	role := a.Rule.Role
	if role == rule.RoleDoubt || role == rule.RoleTrial {
		c.inAdvance = 1 // an attempt line that still comes says the same
	}
	if !a.Addr.IsValid() {
		a.Addr = c.addr
	}
	if a.Port == 0 {
		a.Port = c.port
	}
	if !a.Addr.IsValid() && a.Host == "" && role != rule.RoleAttempt && role != rule.RoleAnnounce {
		l.unattributed++ // nobody is known to have done what no line calls an attempt
		return
	}
	l.emit(a)
}
