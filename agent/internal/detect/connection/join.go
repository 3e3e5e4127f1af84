package connection

import (
	"bytes"
	"net/netip"
	"strconv"

	"github.com/pialert/pialert/agent/internal/header"
	"github.com/pialert/pialert/agent/internal/rule"
)

// Join gives the line's role its meaning. It is the only place where roles have one.
func (l *Log) Join(line *Line) {
	if line.Rule.Role == rule.RoleEvent {
		n := line.Fields.Count * line.Repeats
		if family, ok := line.Rule.Asked(); ok {
			n -= l.reported(line, line.Fields.Source, family)
		}
		if n > 0 {
			l.count(line, n, nil)
		}
		return
	}
	k, ok := l.keyOf(line)
	if !ok {
		return
	}
	l.advance(line.Sec)
	c := l.conns.find(k)
	if c == nil {
		c = l.recall(k)
	}
	if c != nil && c.isAnother(line) {
		if c.isNamed(line.Text) {
			line.Fields.Source, line.Fields.Port = c.addr, c.port
		} else {
			l.forget(c)
			c = nil
		}
	}
	if c != nil && line.Rule.Role == rule.RoleStart {
		l.forget(c)
		c = nil
	}
	if c == nil {
		if line.Rule.Role == rule.RoleContext && !line.Fields.Source.IsValid() {
			return
		}
		c = l.open(k)
	}
	if line.Fields.Source.IsValid() {
		c.addr = line.Fields.Source
	}
	if line.Fields.Port != 0 {
		c.port = line.Fields.Port
	}
	// What waited only for an address has it now.
	if c.pending.Rule != nil && c.list == waiting && c.pending.Rule.Role != rule.RoleTrial && c.addr.IsValid() {
		l.settle(c)
	}
	if line.Rule.Role == rule.RoleAgain && !c.counted && !l.failed(line, c.addr) {
		c.accepted = true
	}
	reported := uint64(0)
	if family, ok := line.Rule.Asked(); ok && c.asks(line) {
		reported = l.reported(line, c.addr, family)
		if c = l.conns.find(k); c == nil { // it had to make room
			if c = l.recall(k); c == nil {
				c = l.open(k)
			}
		}
	}
	list := l.act(c, line, reported)
	c.seen, c.observed = line.Sec, line.Observed/1e9
	l.conns.touch(c, list)
	l.change(c)
	if line.Rule.Role == rule.RoleSuccess {
		l.openSession(line, c.key, c.addr, c.port)
	}
}

// isAnother says whether a line cannot be of connection c although it has its key: a process
// number was used again.
func (c *connection) isAnother(line *Line) bool {
	f := &line.Fields
	return f.Source.IsValid() && c.addr.IsValid() && f.Source != c.addr ||
		f.Port != 0 && c.port != 0 && f.Port != c.port && line.Rule.Join != rule.JoinSource
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

// reported returns how many of a line's attempts by an address were reported before by the service that its daemon
// asks about logins, as postfix asks dovecot, and notes those that were not. Lines of that service's family
// are joined by source, in the log that all share. Connections may move.
func (l *Log) reported(line *Line, by netip.Addr, family uint32) uint64 {
	if !by.IsValid() {
		return 0
	}
	l = l.common
	l.advance(line.Sec)
	k := l.sourceKey(family, by)
	c := l.conns.find(k)
	if c == nil {
		c = l.recall(k)
	}
	if c == nil {
		c = l.open(k)
		c.addr = by
	}
	n := line.Fields.Count * line.Repeats
	known := n - c.newAttempts(line.Rule.ReporterNumber(), n)
	c.counted = true
	c.seen, c.observed = line.Sec, line.Observed/1e9
	l.conns.touch(c, c.listFor())
	l.change(c)
	return known
}

// failed says whether the service that the line's daemon asks about logins has just refused an address, be it on behalf of
// another connection. dovecot lets who fails wait for longer than postfix waits for dovecot.
func (l *Log) failed(line *Line, by netip.Addr) bool {
	family, ok := line.Rule.Asked()
	if !ok || !by.IsValid() {
		return false
	}
	c := l.common.conns.find(l.common.sourceKey(family, by))
	return c != nil && c.counted
}

// asks says whether the line is of a try that the service which its daemon asks about logins may have
// reported, too.
func (c *connection) asks(line *Line) bool {
	return line.Rule.Role == rule.RoleAttempt || line.Rule.Role == rule.RoleAgain && !c.accepted ||
		line.Rule.Role == rule.RoleTrial && !c.counted && !c.accepted && c.pending.Rule == nil
}

// act applies the role and returns the list that the connection belongs to now. So many of the line's
// attempts another service has reported before.
func (l *Log) act(c *connection, line *Line, reported uint64) listID {
	n := line.Fields.Count * line.Repeats
	switch line.Rule.Role {
	case rule.RoleAnnounce:
		if c.inAdvance == 0 {
			l.try(c, line, n)
			c.inAdvance = uint32(min(n, header.MaxRepeats))
		}
	case rule.RoleAttempt, rule.RoleAgain:
		if line.Rule.Role == rule.RoleAgain && c.accepted {
			break
		}
		reporter := line.Rule.ReporterNumber()
		n = c.newAttempts(reporter, n)
		n -= take(&c.inAdvance, n)
		n -= min(n, reported)
		c.counted = c.counted || reported > 0
		l.try(c, line, n)
		if reporter > 0 {
			l.dropDoubtsOf(c.key, line, nil)
		}
	case rule.RoleTrial:
		switch {
		case c.counted || c.accepted:
		case reported > 0:
			c.counted = true
		case line.Fields.InvalidUser:
			l.try(c, line, 1)
			c.inAdvance = 1
		case c.pending.Rule == nil:
			l.suspend(c, line, 1)
		}
	case rule.RoleDoubt:
		l.doubt(c, line)
	case rule.RoleProbe, rule.RoleEnd:
		l.end(c, line)
	case rule.RoleSuccess:
		l.succeed(c, line)
	}
	return c.listFor()
}

// listFor returns the list that fits what is pending.
func (c *connection) listFor() listID {
	switch {
	case c.pending.Rule == nil:
		return settled
	case c.pending.Rule.Role == rule.RoleDoubt || c.pending.Rule.Defer && c.addr.IsValid():
		return doubted
	}
	return waiting
}

// doubt notes a failure that a success may take back. Several for one user are modules that were
// asked in turn about one password; a doubt about another user proves the first.
func (l *Log) doubt(c *connection, line *Line) {
	if c.inAdvance > 0 || c.accepted {
		return
	}
	if p := &c.pending; p.Rule != nil && p.Rule.Role == rule.RoleDoubt {
		if p.User == string(line.Fields.User.In(line.Text)) {
			return
		}
		l.settle(c)
		c.inAdvance = 0
	}
	l.suspend(c, line, 1)
}

// end counts what was in doubt, or else one probe unless something was counted before. A rule
// that defers leaves this to the next line of the connection, if one comes.
func (l *Log) end(c *connection, line *Line) {
	if p := &c.pending; p.Rule != nil && !p.Rule.Defer {
		if c.addr.IsValid() || p.Host != "" {
			l.settle(c)
		}
		return
	}
	if c.counted || c.accepted || l.inSession(c) {
		return
	}
	if line.Rule.Defer || !c.addr.IsValid() && line.Fields.Host == (rule.Span{}) {
		l.suspend(c, line, 1)
		return
	}
	l.try(c, line, line.Fields.Count)
}

// succeed takes back what was in doubt about the user who is now known to be one.
func (l *Log) succeed(c *connection, line *Line) {
	if p := &c.pending; p.Rule != nil {
		if p.Rule.Role == rule.RoleDoubt && p.User != string(line.Fields.User.In(line.Text)) {
			l.settle(c)
		}
		c.clear()
	}
	c.accepted, c.inAdvance = true, 0
	l.dropDoubtsOf(c.key, line, line.Fields.User.In(line.Text))
	if line.Rule.Counts() {
		l.count(line, 1, c)
	}
}

// dropDoubtsOf drops the doubts that PAM raised in another process on behalf of the same peer:
// sshd runs PAM's conversation for keyboard-interactive in a child. A user restricts it to theirs.
func (l *Log) dropDoubtsOf(own key, line *Line, user []byte) {
	next := l.conns.oldest(doubted)
	for range maxScan {
		c := next
		if c == nil {
			return
		}
		next = l.conns.after(c)
		if c.key.host != own.host || c.key.family != own.family || c.key == own || c.counted ||
			c.pending.Rule.Role != rule.RoleDoubt {
			continue
		}
		p := &c.pending
		if user != nil && p.User != string(user) {
			continue
		}
		if p.Addr.IsValid() && p.Addr == line.Fields.Source || p.Host != "" && p.Host == string(line.Fields.Host.In(line.Text)) {
			c.clear()
			l.drop(c)
		}
	}
}

// maxScan bounds the search for doubts of another process.
const maxScan = 256
