package detect

import (
	"net/netip"
	"time"

	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/pkg/attack"
)

// details is the last detail that the events of a rule had, so that the next event that has the
// same need not allocate one.
type details struct {
	ssh    attack.SSH
	detail attack.Detail
}

// emitLine reports n attempts that a line proves. What the line does not say is taken from its
// connection c, which may be nil.
func (e *Engine) emitLine(f *finding, n uint64, c *connection) {
	p := &f.fields
	ev := &e.event
	e.begin(f.rule, n, f.mem)
	ev.SourceIP, ev.SourcePort = p.Source, p.Port
	if c != nil {
		if !ev.SourceIP.IsValid() {
			ev.SourceIP = c.addr
		}
		if ev.SourcePort == 0 {
			ev.SourcePort = c.port
		}
	}
	if !ev.SourceIP.IsValid() {
		ev.SourceHost = e.intern(p.Host)
	}
	ev.User = e.intern(p.User)
	e.finish(f.rule, detailFields{
		method: e.intern(p.Method), reason: e.intern(p.Reason), exact: p.InvalidUser,
		target: e.intern(p.Target), tty: e.intern(p.TTY), jail: e.intern(p.Jail),
	}, f.sec, f.nsec, f.dated, f.line)
}

// emitPending reports what was pending.
func (e *Engine) emitPending(mem *memory, p *pending) {
	ev := &e.event
	e.begin(p.rule, p.count, mem)
	ev.Observed = time.Unix(0, p.observed).In(e.opts.Location)
	ev.SourceIP, ev.SourcePort, ev.User = p.addr, p.port, p.user
	if !ev.SourceIP.IsValid() {
		ev.SourceHost = p.host
	}
	e.finish(p.rule, detailFields{method: p.method, reason: p.reason, exact: p.exact}, p.sec, p.nsec, p.dated, p.line)
}

func (e *Engine) begin(r *rule.Rule, n uint64, mem *memory) {
	e.event = attack.Event{
		Kind: r.Kind, Severity: r.Severity, Rule: r.ID, Observed: e.observed, Count: min(n, attack.MaxCount), Log: mem.name,
	}
}

type detailFields struct {
	method, reason, target, tty, jail string
	exact                             bool
}

func (e *Engine) finish(r *rule.Rule, d detailFields, sec int64, nsec int32, dated bool, line uint64) {
	ev := &e.event
	if dated {
		ev.Logged = time.Unix(sec, int64(nsec)).In(e.opts.Location)
	}
	if e.ignores(ev.SourceIP) {
		e.ignored += ev.Count
		return
	}
	ev.Detail = e.detail(r, d)
	e.opts.Emit(ev, line)
}

func (e *Engine) ignores(addr netip.Addr) bool {
	if !addr.IsValid() {
		return false
	}
	for _, prefix := range e.opts.Ignore {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// detail makes what is particular to the kind of event.
func (e *Engine) detail(r *rule.Rule, d detailFields) attack.Detail {
	if d.method == "" {
		d.method = r.Method
	}
	if d.reason == "" {
		d.reason = r.Reason
	}
	switch r.Kind {
	case attack.SSHLogin, attack.SSHProbe:
		known := &e.details[r.Number()]
		ssh := attack.SSH{
			Method: attack.Clip(d.method, attack.MaxWord), InvalidUser: d.exact, Reason: attack.Clip(d.reason, attack.MaxText),
		}
		if known.detail == nil || known.ssh != ssh {
			known.ssh, known.detail = ssh, ssh
		}
		return known.detail
	case attack.LocalAuth:
		return attack.Local{
			Service: attack.Clip(r.Service, attack.MaxWord), Target: attack.Clip(d.target, attack.MaxUser),
			TTY: attack.Clip(d.tty, attack.MaxWord),
		}
	case attack.Ban, attack.Unban:
		return attack.BanInfo{Jail: attack.Clip(d.jail, attack.MaxWord)}
	case attack.MailLogin, attack.FTPLogin, attack.WebLogin, attack.RouterLogin, attack.VPNLogin:
		return attack.Service{Name: attack.Clip(r.Service, attack.MaxWord), Reason: attack.Clip(d.reason, attack.MaxText)}
	}
	return nil
}

// interned remembers strings that were made of bytes lately, so that an attacker who tries one
// name a thousand times does not make a thousand strings.
type interned [1024]string

// intern returns text as a string of at most [attack.MaxUser] bytes.
func (e *Engine) intern(text []byte) string {
	if len(text) == 0 {
		return ""
	}
	if len(text) > attack.MaxUser {
		text = text[:attack.MaxUser]
	}
	at := &e.names[hash(text)%uint64(len(e.names))]
	if *at != string(text) {
		*at = string(text)
	}
	return *at
}
