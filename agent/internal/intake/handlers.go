package intake

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/pialert/pialert/pkg/attack"
)

// post takes events as JSON.
func (s *Server) post(w http.ResponseWriter, r *http.Request, token *Token) {
	body, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		answer(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("more than %d bytes", MaxBody))
		return
	case err != nil:
		answer(w, http.StatusBadRequest, "the body cannot be read")
		return
	}
	key := r.Header.Get("Idempotency-Key")
	if len(key) > maxIdempotent {
		answer(w, http.StatusBadRequest, "the key is too long")
		return
	}
	events, err := parseEvents(body, s.Now())
	if err != nil {
		answer(w, http.StatusBadRequest, err.Error())
		return
	}
	for _, e := range events {
		if err := token.may(e); err != nil {
			answer(w, http.StatusForbidden, err.Error())
			return
		}
		if count, ok := e.Detail.(attack.Count); e.Kind == attack.Counter && (!ok || !slices.Contains(s.Counters, count.Key)) {
			answer(w, http.StatusForbidden, errForbidden.Error())
			return
		}
	}
	if !s.limits[token.Name].events.AllowN(s.Now(), len(events)) {
		tooMany(w)
		return
	}
	s.commit(w, r, token, key, events)
}

// commit adds events, once for a key.
func (s *Server) commit(w http.ResponseWriter, r *http.Request, token *Token, key string, events []*attack.Event) {
	accepted := 0
	now := s.Now()
	err := s.Sink.Commit(r.Context(), func(m *Memory, add func(*attack.Event)) {
		accepted = 0
		if key != "" && !m.Keys.Take(token.Name, key, now) {
			return
		}
		for _, e := range events {
			if report, ok := reportOf(e); ok {
				m.Bans.Report(&report, now, add)
			} else {
				add(e)
			}
			accepted++
		}
	})
	if err != nil {
		answer(w, http.StatusServiceUnavailable, "nothing can be kept now; try again")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]int{"accepted": accepted})
}

// reportOf returns the report that an event of a ban is, so that it becomes one event.
func reportOf(e *attack.Event) (Report, bool) {
	info, ok := e.Detail.(attack.BanInfo)
	if !ok || !e.SourceIP.IsValid() || strings.ContainsRune(info.Jail+e.Host, 0) {
		return Report{}, false
	}
	report := Report{Action: ReportBan, Source: netip.PrefixFrom(e.SourceIP, e.SourceIP.BitLen()), Jail: info.Jail, Host: e.Host}
	if e.Kind == attack.Unban {
		report.Action = ReportUnban
	}
	return report, true
}

// ban takes the old URL of fail2ban's actions: the jail and the address in the query or a form.
func (s *Server) ban(w http.ResponseWriter, r *http.Request, token *Token) {
	source, err := ParseSource(r.FormValue("ip"))
	report := Report{Action: ReportBan, Source: source, Jail: r.FormValue("jail"), Host: token.Host}
	if err == nil {
		err = report.Check(s.Now())
	}
	if err != nil {
		answer(w, http.StatusBadRequest, "give jail and ip")
		return
	}
	e := report.event(s.Now())
	if err := token.may(e); err != nil {
		answer(w, http.StatusForbidden, err.Error())
		return
	}
	s.commit(w, r, token, "", []*attack.Event{e})
}

// call takes an old URL of which each call is an event; an address may be given.
func (s *Server) call(w http.ResponseWriter, r *http.Request, token *Token, path Path) {
	e := &attack.Event{Kind: path.Kind, Severity: path.Kind.Severity(), Rule: "intake-url", Observed: s.Now(), Count: 1, Host: token.Host}
	if ip, err := netip.ParseAddr(r.FormValue("ip")); err == nil {
		e.SourceIP = ip.Unmap().WithZone("")
	}
	if err := token.may(e); err != nil {
		answer(w, http.StatusForbidden, err.Error())
		return
	}
	if path.Host != "" {
		e.Host = path.Host
	}
	s.commit(w, r, token, "", []*attack.Event{e})
}

// count takes a number for a counter.
func (s *Server) count(w http.ResponseWriter, r *http.Request, token *Token, key string) {
	if !slices.Contains(s.Counters, key) {
		answer(w, http.StatusNotFound, "there is no such counter")
		return
	}
	value := uint64(1)
	if text := r.FormValue("value"); text != "" {
		var err error
		if value, err = strconv.ParseUint(text, 10, 64); err != nil || value > attack.MaxCount {
			answer(w, http.StatusBadRequest, "the value is no number from 0 to 1000000000")
			return
		}
	}
	e := &attack.Event{
		Kind: attack.Counter, Severity: attack.Info, Rule: "intake-count", Observed: s.Now(), Count: value, Host: token.Host,
		Detail: attack.Count{Key: key, Value: value},
	}
	if err := token.may(e); err != nil {
		answer(w, http.StatusForbidden, err.Error())
		return
	}
	s.commit(w, r, token, r.Header.Get("Idempotency-Key"), []*attack.Event{e})
}
