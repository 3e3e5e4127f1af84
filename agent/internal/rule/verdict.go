package rule

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/pialert/pialert/agent/internal/weblog"
)

// normal is the normalised text of a part of a request, made when it is first asked for.
type normal struct {
	text  []byte
	known bool
}

// Requests judges the lines of web logs. It remembers which rules match targets, referers and user agents,
// and belongs to one goroutine.
type Requests struct {
	rules   *requests
	access  *weblog.Access // the request at work
	matched []*Rule        // that match some part of it, in the order of the rules
	found   []*Rule        // candidates for the part at work
	text    [parts]normal  // of the request at work
	loc     []int
	seen    [parts]seen
}

// Requests returns a judge by the rules of the set.
func (s *Set) Requests() *Requests { return &Requests{rules: s.requests()} }

// Verdict returns the most severe rule for a request, nil if none matches it. A rule with the role
// ignore hides those behind it, and is the verdict if there is none before.
func (w *Requests) Verdict(a *weblog.Access) *Rule {
	w.access = a
	w.matched = w.matched[:0]
	for i := range w.text {
		w.text[i].known = false
	}
	w.match(target)
	w.match(referer)
	w.match(agent)
	if a.User != nil {
		w.match(user)
	}
	if isMalformed(a) {
		w.match(malformed)
	}
	var best *Rule
	for _, r := range w.matched {
		if best != nil && best.Severity >= r.Severity && r.Role != RoleIgnore || !r.accepts(a) {
			continue
		}
		if r.Role != RoleIgnore {
			best = r
			continue
		}
		if best == nil {
			best = r
		}
		break
	}
	return best
}

// isMalformed says whether a request line is none that asks a web server for something of its own.
func isMalformed(a *weblog.Access) bool {
	if a.Method == nil || len(a.Target) == 0 {
		return a.Request != nil
	}
	return a.Target[0] != '/' && string(a.Method) != "OPTIONS"
}

// match adds the rules that match a part of the request, which mostly has the text of an earlier request.
func (w *Requests) match(p part) {
	text := w.raw(p)
	seen := w.seen[p].at(text)
	rules := seen.rules
	if !seen.known || !bytes.Equal(seen.text, text) {
		w.found = w.rules.searchers[p].search(w.searched(p), w.found[:0])
		rules = slices.DeleteFunc(w.found, func(r *Rule) (not bool) {
			var ok bool
			w.loc, ok = r.expr.Match(w.normalised(p), w.loc)
			return !ok
		})
		seen.keep(text, rules)
	}
	for _, r := range rules {
		w.matched = insert(w.matched, r)
	}
}

// searched returns the text of a part as it is best searched: as logged where it has no escapes,
// otherwise normalised.
func (w *Requests) searched(p part) []byte {
	text := w.raw(p)
	for _, c := range text {
		if escapes[c] && (c != '+' || p == target) {
			return w.normalised(p)
		}
	}
	return text
}

// escapes are the bytes by which a text can differ from what it means.
var escapes = [256]bool{'%': true, '\\': true, '#': true, '+': true}

// normalised returns the text of a part that patterns see.
func (w *Requests) normalised(p part) []byte {
	n := &w.text[p]
	if !n.known {
		n.known = true
		if p == user {
			n.text = append(n.text[:0], w.raw(p)...)
		} else {
			n.text = weblog.Normalise(n.text[:0], w.raw(p))
		}
	}
	return n.text
}

func (w *Requests) raw(p part) []byte {
	a := w.access
	switch p {
	case target:
		return a.Target
	case referer:
		return a.Referer
	case agent:
		return a.Agent
	case user:
		return a.User
	case malformed:
		return a.Request
	}
	return nil
}

// seen remembers the rules that match a text, mostly none: there are few different referers and agents, a
// site's visitors ask for the same pages and pictures, and those who look for holes all knock at the same doors.
type seen [256]judged

type judged struct {
	text  []byte
	rules []*Rule
	known bool
}

// maxSeen bounds a text that is remembered, in bytes.
const maxSeen = 512

// at returns the place of a text, by its length, eight bytes from its first third on, and its last eight.
func (s *seen) at(text []byte) *judged {
	n := len(text)
	h := uint64(n)
	if n >= 8 {
		h ^= binary.LittleEndian.Uint64(text[min(n/3, n-8):]) ^ binary.LittleEndian.Uint64(text[n-8:])<<1
	} else {
		for _, c := range text {
			h = h<<8 ^ uint64(c)
		}
	}
	return &s[h*0x9e3779b97f4a7c15>>56] // of its 256 places
}

func (j *judged) keep(text []byte, rules []*Rule) {
	if len(text) <= maxSeen {
		j.text, j.rules, j.known = append(j.text[:0], text...), append(j.rules[:0], rules...), true
	}
}

// Error returns the first rule that matches the message of an error log, nil if none does, and reads its fields.
func (w *Requests) Error(e *weblog.Error, f *Fields) *Rule {
	found, loc := w.rules.findError(e, w.loc)
	if w.loc = loc; found != nil {
		f.read(found, e.Message, loc)
	}
	return found
}
