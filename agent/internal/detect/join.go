package detect

import (
	"bytes"
	"strconv"

	"github.com/pialert/pialert/agent/internal/header"
	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/pkg/attack"
)

// A finding is a line that a rule matched: what the line says and where it stands.
type finding struct {
	rule    *rule.Rule
	text    []byte // that the rule matched
	fields  rule.Fields
	repeats uint64 // times that the line stands for
	mem     *memory
	key     connectionKey
	sec     int64 // logged time, or the observation's where the line has none
	nsec    int32
	dated   bool
	line    uint64
}

// join gives the line's role its meaning. It is the only place where roles have one.
func (e *Engine) join(f *finding) {
	if f.rule.Role == rule.RoleEvent {
		e.emitLine(f, f.fields.Count*f.repeats, nil)
		return
	}
	if f.rule.Join == rule.JoinSource && !f.fields.Source.IsValid() && f.fields.Host == nil {
		return
	}
	e.advance(f.mem, f.sec)
	c := f.mem.conns.find(f.key)
	if c != nil && c.isAnother(f) {
		if c.isNamed(f.text) {
			f.fields.Source, f.fields.Port = c.addr, c.port
		} else {
			e.forget(f.mem, c)
			c = nil
		}
	}
	if c != nil && f.rule.Role == rule.RoleStart {
		e.forget(f.mem, c)
		c = nil
	}
	if c == nil {
		if f.rule.Role == rule.RoleContext && !f.fields.Source.IsValid() {
			return
		}
		c = e.open(f.mem, f.key)
	}
	if f.fields.Source.IsValid() {
		c.addr = f.fields.Source
	}
	if f.fields.Port != 0 {
		c.port = f.fields.Port
	}
	// What waited only for an address has it now.
	if c.pending.rule != nil && c.list == waiting && c.pending.rule.Role != rule.RoleTrial && c.addr.IsValid() {
		e.settle(f.mem, c)
	}
	list := e.act(c, f)
	c.seen, c.observed = f.sec, e.observed.Unix()
	f.mem.conns.touch(c, list)
	e.change(f.mem, c)
}

// isAnother says whether a line cannot be of connection c although it has its key: a process
// number was used again.
func (c *connection) isAnother(f *finding) bool {
	p := &f.fields
	return p.Source.IsValid() && c.addr.IsValid() && p.Source != c.addr ||
		p.Port != 0 && c.port != 0 && p.Port != c.port
}

// isNamed says whether a text names the connection's peer as sshd does. Then it is of this
// connection, and another address in it is of the client's making: in the name it sent, or in what
// sshd repeats of its key behind "ssh2: ".
func (c *connection) isNamed(text []byte) bool {
	if !c.addr.IsValid() || c.port == 0 {
		return false
	}
	var room [64]byte
	name := append(room[:0], " from "...)
	name = c.addr.AppendTo(name)
	name = append(name, " port "...)
	name = strconv.AppendUint(name, uint64(c.port), 10)
	name = append(name, ' ')
	return bytes.Contains(text, name)
}

// act applies the role and returns the list that the connection belongs to now.
func (e *Engine) act(c *connection, f *finding) listID {
	n := f.fields.Count * f.repeats
	switch f.rule.Role {
	case rule.RoleAnnounce:
		if c.advance == 0 {
			e.attempt(c, f, n)
			c.advance = uint32(min(n, header.MaxRepeats))
		}
	case rule.RoleAttempt:
		n = c.newAttempts(f.rule.ReporterNumber(), n)
		n -= take(&c.advance, n)
		e.attempt(c, f, n)
		if f.rule.ReporterNumber() > 0 {
			e.dropDoubtsOf(f, nil)
		}
	case rule.RoleTrial:
		switch {
		case c.counted || c.accepted:
		case f.fields.InvalidUser:
			e.attempt(c, f, 1)
			c.advance = 1
		case c.pending.rule == nil:
			e.suspend(c, f, 1)
		}
	case rule.RoleDoubt:
		e.doubt(c, f)
	case rule.RoleProbe, rule.RoleEnd:
		e.end(c, f)
	case rule.RoleSuccess:
		e.succeed(c, f)
	}
	return c.listFor()
}

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

// listFor returns the list that fits what is pending.
func (c *connection) listFor() listID {
	switch {
	case c.pending.rule == nil:
		return settled
	case c.pending.rule.Role == rule.RoleDoubt || c.pending.rule.Defer && c.addr.IsValid():
		return doubted
	}
	return waiting
}

// attempt counts n attempts, at once if the address is known.
func (e *Engine) attempt(c *connection, f *finding, n uint64) {
	if n == 0 {
		return
	}
	if !c.addr.IsValid() && f.fields.Host == nil && f.rule.Kind != attack.LocalAuth {
		e.suspend(c, f, n)
		c.counted = true
		return
	}
	c.clear()
	c.counted = true
	c.attempts += uint32(min(n, header.MaxRepeats))
	e.emitLine(f, n, c)
}

// doubt notes a failure that a success may take back. Several for one user are modules that were
// asked in turn about one password; a doubt about another user proves the first.
func (e *Engine) doubt(c *connection, f *finding) {
	if c.advance > 0 || c.accepted {
		return
	}
	if p := &c.pending; p.rule != nil && p.rule.Role == rule.RoleDoubt {
		if p.user == string(f.fields.User) {
			return
		}
		e.settle(f.mem, c)
		c.advance = 0
	}
	e.suspend(c, f, 1)
}

// end counts what was in doubt, or else one probe unless something was counted before. A rule
// that defers leaves this to the next line of the connection, if one comes.
func (e *Engine) end(c *connection, f *finding) {
	if p := &c.pending; p.rule != nil && !p.rule.Defer {
		if c.addr.IsValid() || p.host != "" {
			e.settle(f.mem, c)
		}
		return
	}
	if c.counted || c.accepted {
		return
	}
	if f.rule.Defer || !c.addr.IsValid() && f.fields.Host == nil {
		e.suspend(c, f, 1)
		return
	}
	e.attempt(c, f, f.fields.Count)
}

// succeed takes back what was in doubt about the user who is now known to be one.
func (e *Engine) succeed(c *connection, f *finding) {
	if p := &c.pending; p.rule != nil {
		if p.rule.Role == rule.RoleDoubt && p.user != string(f.fields.User) {
			e.settle(f.mem, c)
		}
		c.clear()
	}
	c.accepted, c.advance = true, 0
	e.dropDoubtsOf(f, f.fields.User)
}

// dropDoubtsOf drops the doubts that PAM raised in another process on behalf of the same peer:
// sshd runs PAM's conversation for keyboard-interactive in a child. A user restricts it to theirs.
func (e *Engine) dropDoubtsOf(f *finding, user []byte) {
	conns := &f.mem.conns
	next := (*connection)(nil)
	for c, n := conns.oldest(doubted), 0; c != nil && n < maxScan; c, n = next, n+1 {
		next = conns.after(c)
		if c.key.host != f.key.host || c.key.family != f.key.family || c.key == f.key || c.counted ||
			c.pending.rule.Role != rule.RoleDoubt {
			continue
		}
		p := &c.pending
		if user != nil && p.user != string(user) {
			continue
		}
		if p.addr.IsValid() && p.addr == f.fields.Source || p.host != "" && bytes.Equal([]byte(p.host), f.fields.Host) {
			c.clear()
			e.drop(f.mem, c)
		}
	}
}

// maxScan bounds the search for doubts of another process.
const maxScan = 256

// clear forgets what is pending.
func (c *connection) clear() { c.pending = pending{} }

// suspend keeps the line for later.
func (e *Engine) suspend(c *connection, f *finding, n uint64) {
	c.pending = pending{
		rule: f.rule, count: n, addr: f.fields.Source, port: f.fields.Port, host: e.intern(f.fields.Host),
		user: e.intern(f.fields.User), method: e.intern(f.fields.Method), reason: e.intern(f.fields.Reason),
		exact: f.fields.InvalidUser, sec: f.sec, nsec: f.nsec, dated: f.dated, line: f.line,
		observed: e.observed.UnixNano(),
	}
}

// settle counts what is pending.
func (e *Engine) settle(mem *memory, c *connection) {
	p := c.pending
	if p.rule == nil {
		return
	}
	c.clear()
	c.counted = true
	c.attempts += uint32(min(p.count, header.MaxRepeats))
	if p.rule.Role == rule.RoleDoubt || p.rule.Role == rule.RoleTrial {
		c.advance = 1 // an attempt line that still comes says the same
	}
	if !p.addr.IsValid() {
		p.addr = c.addr
	}
	if p.port == 0 {
		p.port = c.port
	}
	if !p.addr.IsValid() && p.host == "" && p.rule.Role != rule.RoleAttempt && p.rule.Role != rule.RoleAnnounce {
		e.unattributed++ // nobody is known to have done what no line calls an attempt
		return
	}
	e.emitPending(mem, &p)
}
