package detect

import (
	"slices"
	"time"

	"github.com/pialert/pialert/agent/internal/detect/connection"
	"github.com/pialert/pialert/agent/internal/detect/episode"
	"github.com/pialert/pialert/agent/internal/weblog"
	"github.com/pialert/pialert/pkg/attack"
)

// web is what an Engine remembers of access and error logs.
type web struct {
	duplicates duplicates
	unique     uniques
	floods     *episode.Detector
	log        string    // of the request at work, for a flood that it starts
	machine    string    // that wrote it
	observed   time.Time // when the last request was read
}

// newWeb prepares for web logs.
func (e *Engine) newWeb() {
	if e.opts.Floods != nil {
		e.web.floods = episode.New(*e.opts.Floods, e.emitFlood)
	}
}

// joinRequest reports what a rule found in the line of a web log, unless the other log has the
// same request.
func (e *Engine) joinRequest(src *Source, r *request, number uint64) {
	w := &e.web
	if e.ignores(r.client.Addr) {
		e.ignored += r.repeats
		return
	}
	at := r.logged
	if !r.dated {
		at = e.observed
	}
	if w.unique.known(r) || w.duplicates.reported(r, at.Unix()) {
		return
	}
	ev := &e.event
	*ev = attack.Event{
		Kind: r.rule.Kind, Severity: r.rule.Severity, Rule: r.rule.ID, Observed: e.observed,
		Count: min(r.repeats, attack.MaxCount), Log: src.name, SourceIP: r.client.Addr, SourcePort: r.client.Port,
		Host: attack.Clip(e.names.String(r.machine), attack.MaxName),
	}
	if r.dated {
		ev.Logged = r.logged
	}
	if !ev.SourceIP.IsValid() {
		ev.SourceHost = e.names.String(r.client.Host)
	}
	if len(r.user) > 0 && string(r.user) != `""` {
		ev.User = e.names.String(weblog.Unescape(r.user))
	}
	if r.rule.Kind == attack.LoginAccepted {
		e.accepted = attack.Accepted{Service: attack.Clip(r.rule.Service, attack.MaxWord), Method: attack.Clip(r.rule.Method, attack.MaxWord)}
	} else {
		ev.Detail = r.detail()
	}
	e.report(ev, at.Unix(), number)
}

// uniques are hashes of the last requests of which an error log may have several lines: those that a firewall in the
// server, such as ModSecurity, names, since it writes a line for each of its rules that a request breaks, and those that
// a rule says are logged twice, by user, target and second.
type uniques struct {
	ring [64]uint64
	next int
}

// known says whether a line about a request was counted, and notes the request otherwise.
func (u *uniques) known(r *request) bool {
	addr := r.client.Addr.As16()
	hash := connection.Hash(addr[:])
	switch {
	case len(r.unique) > 0:
		hash ^= connection.Hash(r.unique)
	case r.rule.Twice:
		hash ^= connection.Hash(r.user) ^ connection.Hash(r.target)*3 ^ uint64(r.logged.Unix())*5
	default:
		return false
	}
	if slices.Contains(u.ring[:], hash) {
		return true
	}
	u.ring[u.next%len(u.ring)] = hash
	u.next++
	return false
}

// joinVisit looks for floods and scans in the requests of an access log.
func (e *Engine) joinVisit(src *Source, v *visit) {
	w := &e.web
	if e.ignores(v.addr) {
		return
	}
	at := v.logged
	if !v.dated {
		at = e.observed
	}
	machine := attack.Clip(e.names.String(v.machine), attack.MaxName)
	if w.floods != nil && v.addr.IsValid() && v.method != nil {
		w.log, w.machine, w.observed = src.name, machine, e.observed
		w.floods.Add(v.addr, v.method, at)
	}
	e.spreads.request(v, src.name, machine, at, e.observed)
}

// detail makes what is particular to the kind of event.
func (r *request) detail() attack.Detail {
	switch r.rule.Kind {
	case attack.WebLogin, attack.MailLogin, attack.MailProbe:
		return attack.Service{Name: attack.Clip(r.rule.Service, attack.MaxWord), Reason: clipped(r.reason, attack.MaxText)}
	}
	target := r.target
	if target == nil {
		target = r.request
	}
	return attack.HTTP{
		Method: clipped(r.method, attack.MaxWord), Target: clipped(target, attack.MaxText), Status: r.status,
		UserAgent: clipped(r.agent, attack.MaxText), Host: clipped(r.host, attack.MaxName),
	}
}

func clipped(text []byte, n int) string { return string(text[:min(len(text), n)]) }

// emitFlood reports what the flood detector found.
func (e *Engine) emitFlood(f episode.Event) {
	e.event = attack.Event{
		Kind: attack.HTTPFlood, Severity: attack.HTTPFlood.Severity(), Rule: "http-flood",
		Logged: f.At, Observed: e.observed, Count: min(f.Count, attack.MaxCount), Log: e.web.log, Host: e.web.machine, Detail: f.Flood,
	}
	if f.Network.IsSingleIP() {
		e.event.SourceIP = f.Network.Addr()
	}
	e.opts.Emit(&e.event, 0)
}

// tickWeb ends floods that stopped. While requests are read their own times do that, which may be
// far behind the clock; so the clock does it only once there were none for a while.
func (e *Engine) tickWeb(now time.Time) {
	w := &e.web
	if w.floods == nil {
		return
	}
	if w.observed.IsZero() {
		w.observed = now
	}
	if quiet := now.Add(-quietBefore); quiet.After(w.observed) {
		w.floods.Tick(quiet)
	}
}

// finishWeb ends the floods when there is nothing more to read.
func (e *Engine) finishWeb() {
	if e.web.floods != nil {
		e.web.floods.Finish()
	}
}
