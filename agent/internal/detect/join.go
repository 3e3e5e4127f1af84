package detect

import (
	"bytes"
	"strconv"

	"github.com/pialert/pialert/pkg/attack"
)

// A finding is a line that a rule matched: what the line says and where it stands.
type finding struct {
	rule    *Rule
	text    []byte // that the rule matched
	fields  fields
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
	if f.rule.Role == RoleEvent {
		e.emitLine(f, f.fields.count*f.repeats, nil)
		return
	}
	if f.rule.Join == JoinSource && !f.fields.source.IsValid() && f.fields.host == nil {
		return
	}
	e.advance(f.mem, f.sec)
	c := f.mem.conns.find(f.key)
	if c != nil && c.isAnother(f) {
		if c.isNamed(f.text) {
			f.fields.source, f.fields.port = c.addr, c.port
		} else {
			e.forget(f.mem, c)
			c = nil
		}
	}
	if c != nil && f.rule.Role == RoleStart {
		e.forget(f.mem, c)
		c = nil
	}
	if c == nil {
		if f.rule.Role == RoleContext && !f.fields.source.IsValid() {
			return
		}
		c = e.open(f.mem, f.key)
	}
	if f.fields.source.IsValid() {
		c.addr = f.fields.source
	}
	if f.fields.port != 0 {
		c.port = f.fields.port
	}
	// What waited only for an address has it now.
	if c.pending.rule != nil && c.list == waiting && c.pending.rule.Role != RoleTrial && c.addr.IsValid() {
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
	return p.source.IsValid() && c.addr.IsValid() && p.source != c.addr ||
		p.port != 0 && c.port != 0 && p.port != c.port
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
	n := f.fields.count * f.repeats
	switch f.rule.Role {
	case RoleAnnounce:
		if c.credit == 0 {
			e.attempt(c, f, n)
			c.credit = uint32(min(n, maxRepeats))
		}
	case RoleAttempt:
		n = c.untold(f.rule.witness, n)
		n -= take(&c.credit, n)
		e.attempt(c, f, n)
		if f.rule.witness > 0 {
			e.dropDoubtsOf(f, nil)
		}
	case RoleTrial:
		switch {
		case c.counted || c.accepted:
		case f.fields.exact:
			e.attempt(c, f, 1)
			c.credit = 1
		case c.pending.rule == nil:
			e.suspend(c, f, 1)
		}
	case RoleDoubt:
		e.doubt(c, f)
	case RoleProbe, RoleEnd:
		e.end(c, f)
	case RoleSuccess:
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

// untold returns how many of n attempts no other witness has told of yet. Several witnesses write
// of the same attempts, in an order that differs, and some skip some of them: what counts is the
// most that one of them told.
func (c *connection) untold(witness uint8, n uint64) uint64 {
	if witness == 0 {
		return n
	}
	var most uint32
	for _, told := range c.told {
		most = max(most, told)
	}
	told := &c.told[witness-1]
	*told = uint32(min(uint64(*told)+n, 1<<31))
	return min(uint64(*told)-min(uint64(most), uint64(*told)), n)
}

// listFor returns the list that fits what is pending.
func (c *connection) listFor() listID {
	switch {
	case c.pending.rule == nil:
		return settled
	case c.pending.rule.Role == RoleDoubt || c.pending.rule.Defer && c.addr.IsValid():
		return doubted
	}
	return waiting
}

// attempt counts n attempts, at once if the address is known.
func (e *Engine) attempt(c *connection, f *finding, n uint64) {
	if n == 0 {
		return
	}
	if !c.addr.IsValid() {
		e.resolve(c)
	}
	if !c.addr.IsValid() && f.fields.host == nil && f.rule.Kind != attack.LocalAuth {
		e.suspend(c, f, n)
		c.counted = true
		return
	}
	c.clear()
	c.counted = true
	c.attempts += uint32(min(n, maxRepeats))
	e.emitLine(f, n, c)
}

// doubt notes a failure that a success may take back. Several for one user are modules that were
// asked in turn about one password; a doubt about another user proves the first.
func (e *Engine) doubt(c *connection, f *finding) {
	if c.credit > 0 || c.accepted {
		return
	}
	e.resolve(c)
	if p := &c.pending; p.rule != nil && p.rule.Role == RoleDoubt {
		if p.user == string(f.fields.user) {
			return
		}
		e.settle(f.mem, c)
		c.credit = 0
	}
	e.suspend(c, f, 1)
}

// end counts what was in doubt, or else one probe unless something was counted before. A rule
// that defers leaves this to the next line of the connection, if one comes.
func (e *Engine) end(c *connection, f *finding) {
	e.resolve(c)
	if p := &c.pending; p.rule != nil && !p.rule.Defer {
		if c.addr.IsValid() || p.host != "" {
			e.settle(f.mem, c)
		}
		return
	}
	if c.counted || c.accepted {
		return
	}
	if f.rule.Defer || !c.addr.IsValid() && f.fields.host == nil {
		e.suspend(c, f, 1)
		return
	}
	e.attempt(c, f, f.fields.count)
}

// succeed takes back what was in doubt about the user who is now known to be one.
func (e *Engine) succeed(c *connection, f *finding) {
	e.resolve(c)
	if p := &c.pending; p.rule != nil {
		if p.rule.Role == RoleDoubt && p.user != string(f.fields.user) {
			e.settle(f.mem, c)
		}
		c.clear()
	}
	c.accepted, c.credit = true, 0
	e.dropDoubtsOf(f, f.fields.user)
}

// dropDoubtsOf drops the doubts that PAM raised in another process on behalf of the same peer:
// sshd runs PAM's conversation for keyboard-interactive in a child. A user restricts it to theirs.
func (e *Engine) dropDoubtsOf(f *finding, user []byte) {
	conns := &f.mem.conns
	next := (*connection)(nil)
	for c, n := conns.oldest(doubted), 0; c != nil && n < maxScan; c, n = next, n+1 {
		next = conns.after(c)
		if c.key.host != f.key.host || c.key.family != f.key.family || c.key == f.key || c.counted ||
			c.pending.rule.Role != RoleDoubt {
			continue
		}
		e.resolve(c)
		p := &c.pending
		if user != nil && p.user != string(user) {
			continue
		}
		if p.addr.IsValid() && p.addr == f.fields.source || p.host != "" && bytes.Equal([]byte(p.host), f.fields.host) {
			c.clear()
			e.drop(f.mem, c)
		}
	}
}

// maxScan bounds the search for doubts of another process.
const maxScan = 256

// clear forgets what is pending.
func (c *connection) clear() { c.pending, c.text = pending{}, c.text[:0] }

// resolve matches the text that was put off.
func (e *Engine) resolve(c *connection) {
	if len(c.text) == 0 {
		return
	}
	p := &c.pending
	loc, ok := p.rule.expr.Match(c.text, nil)
	if !ok {
		c.clear()
		return
	}
	var f fields
	f.read(p.rule, c.text, loc)
	p.addr, p.port, p.host, p.user = f.source, f.port, e.intern(f.host), e.intern(f.user)
	c.text = c.text[:0]
	if !c.addr.IsValid() {
		c.addr = p.addr
	}
}

// suspend keeps the line for later.
func (e *Engine) suspend(c *connection, f *finding, n uint64) {
	c.pending = pending{
		rule: f.rule, count: n, addr: f.fields.source, port: f.fields.port, host: e.intern(f.fields.host),
		user: e.intern(f.fields.user), method: e.intern(f.fields.method), reason: e.intern(f.fields.reason),
		exact: f.fields.exact, sec: f.sec, nsec: f.nsec, dated: f.dated, line: f.line,
		observed: e.observed.UnixNano(),
	}
}

// settle counts what is pending.
func (e *Engine) settle(mem *memory, c *connection) {
	e.resolve(c)
	p := c.pending
	if p.rule == nil {
		return
	}
	c.clear()
	c.counted = true
	c.attempts += uint32(min(p.count, maxRepeats))
	if p.rule.Role == RoleDoubt || p.rule.Role == RoleTrial {
		c.credit = 1 // an attempt line that still comes says the same
	}
	if !p.addr.IsValid() {
		p.addr = c.addr
	}
	if p.port == 0 {
		p.port = c.port
	}
	if !p.addr.IsValid() && p.host == "" && p.rule.Role != RoleAttempt && p.rule.Role != RoleAnnounce {
		e.unattributed++ // nobody is known to have done what no line calls an attempt
		return
	}
	e.emitPending(mem, &p)
}
