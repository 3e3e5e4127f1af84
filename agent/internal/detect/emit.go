package detect

import (
	"net/netip"
	"time"

	"github.com/pialert/pialert/agent/internal/detect/connection"
	"github.com/pialert/pialert/pkg/attack"
)

// details is the last detail that the events of a rule had, so that the next event that has the
// same need not allocate one.
type details struct {
	ssh    attack.SSH
	detail attack.Detail
}

// emit reports an attempt.
func (e *Engine) emit(a *connection.Attempt) {
	if e.ignores(a.Addr) {
		e.ignored += min(a.Count, attack.MaxCount)
		return
	}
	r, ev := a.Rule, &e.event
	*ev = attack.Event{}
	ev.Kind, ev.Severity, ev.Rule = r.Kind, r.Severity, r.ID
	ev.Count, ev.Log, ev.SourceIP, ev.SourcePort, ev.User = min(a.Count, attack.MaxCount), a.Log, a.Addr, a.Port, a.User
	ev.Observed, ev.Host = time.Unix(0, a.Observed).In(e.opts.Location), attack.Clip(a.Machine, attack.MaxName)
	if a.Dated {
		ev.Logged = time.Unix(a.Sec, int64(a.Nsec)).In(e.opts.Location)
	}
	if !a.Addr.IsValid() {
		ev.SourceHost = a.Host
	}
	if r.Kind == attack.PortProbe {
		if ev.Count = e.ports.hit(a.Addr, a.Target, a.Sec); ev.Count == 0 {
			return
		}
	}
	if r.Accessed {
		if ev.Count -= e.web.duplicates.application(ev, a.Sec); ev.Count == 0 {
			return
		}
	}
	ev.Detail = e.detail(a)
	e.report(ev, a.Sec, a.Line)
}

// report hands on an event of a log's line, with what it means beside what happened before.
func (e *Engine) report(ev *attack.Event, sec int64, line uint64) {
	switch ev.Kind {
	case attack.SSHLogin, attack.MailLogin, attack.FTPLogin, attack.WebLogin, attack.WordPressLogin, attack.RouterLogin, attack.VPNLogin,
		attack.RemoteLogin, attack.HTTPAuth, attack.LocalAuth:
		e.logins.Failed(ev.SourceIP, ev.User, ev.Count, sec)
		if ev.Kind == attack.SSHLogin {
			e.opts.Emit(ev, line)
			e.spreads.login(ev, time.Unix(sec, 0))
			return
		}
	case attack.SSHAccepted, attack.LoginAccepted:
		judgement := e.logins.Accepted(e.accepted.Service, ev.SourceIP, ev.User, sec)
		if ev.Kind == attack.LoginAccepted && judgement.Severity < attack.High {
			return // daily life, of which only ssh's becomes an event
		}
		ev.Severity, e.accepted.Reason = judgement.Severity, attack.Clip(judgement.Reason, attack.MaxText)
		if last, ok := e.acceptedDetail.(attack.Accepted); !ok || last != e.accepted {
			e.acceptedDetail = e.accepted
		}
		ev.Detail = e.acceptedDetail
	}
	e.opts.Emit(ev, line)
}

func (e *Engine) ignores(addr netip.Addr) bool {
	return e.opts.Ignore != nil && addr.IsValid() && e.opts.Ignore(addr)
}

// detail makes what is particular to the kind of event.
func (e *Engine) detail(a *connection.Attempt) attack.Detail {
	r, method, reason := a.Rule, a.Method, a.Reason
	if method == "" {
		method = r.Method
	}
	if reason == "" {
		reason = r.Reason
	}
	switch r.Kind {
	case attack.SSHLogin, attack.SSHProbe:
		known := &e.details[r.Number()]
		ssh := attack.SSH{
			Method: attack.Clip(method, attack.MaxWord), InvalidUser: a.InvalidUser, Reason: attack.Clip(reason, attack.MaxText),
		}
		if known.detail == nil || known.ssh != ssh {
			known.ssh, known.detail = ssh, ssh
		}
		return known.detail
	case attack.LocalAuth:
		return attack.Local{
			Service: attack.Clip(r.Service, attack.MaxWord), Target: attack.Clip(a.Target, attack.MaxUser),
			TTY: attack.Clip(a.TTY, attack.MaxWord),
		}
	case attack.Ban, attack.Unban:
		return attack.BanInfo{Jail: attack.Clip(a.Jail, attack.MaxWord)}
	case attack.SSHAccepted, attack.LoginAccepted:
		e.accepted = attack.Accepted{
			Service: attack.Clip(r.Service, attack.MaxWord), Method: attack.Clip(method, attack.MaxWord),
			Fingerprint: attack.Clip(a.Fingerprint, attack.MaxName),
		}
		return nil // report knows how much it means
	case attack.MailLogin, attack.FTPLogin, attack.WebLogin, attack.RouterLogin, attack.VPNLogin:
		return attack.Service{Name: attack.Clip(r.Service, attack.MaxWord), Reason: attack.Clip(reason, attack.MaxText)}
	}
	return nil
}
