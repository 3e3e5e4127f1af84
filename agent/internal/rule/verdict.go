package rule

import (
	"bytes"
	"encoding/binary"

	"github.com/pialert/pialert/agent/internal/weblog"
)

// normal is the normalised text of a part of a request, made when it is first asked for.
type normal struct {
	text  []byte
	known bool
}

// Requests judges the lines of web logs. It remembers targets, referers and user agents that no rule is
// interested in, and belongs to one goroutine.
type Requests struct {
	rules   *requests
	access  *weblog.Access // the request at work
	matched []*Rule        // candidates of the request at work, in the order of the rules
	found   []*Rule        // of those, the ones for the part at work
	text    [parts]normal  // of the request at work
	loc     []int
	clean   [parts]seen
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
	w.searchUnseen(target)
	w.searchUnseen(referer)
	w.searchUnseen(agent)
	if a.User != nil {
		w.search(user)
	}
	if isMalformed(a) {
		w.search(malformed)
	}
	var best *Rule
	for _, r := range w.matched {
		if best != nil && best.Severity >= r.Severity && r.Role != RoleIgnore || !r.accepts(a) || !w.matches(r) {
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

// search adds the rules that may match a part of the request to those that are tried.
func (w *Requests) search(p part) {
	w.matched = w.rules.searchers[p].search(w.searched(p), w.matched)
}

// searchUnseen is search for a part that mostly has the text of an earlier request, unless it is known
// that no rule is interested in it.
func (w *Requests) searchUnseen(p part) {
	text := w.raw(p)
	if len(text) > 0 && w.clean[p].has(text) {
		return
	}
	w.found = w.rules.searchers[p].search(w.searched(p), w.found[:0])
	if len(w.found) == 0 {
		w.clean[p].add(text)
	}
	for _, r := range w.found {
		w.matched = insert(w.matched, r)
	}
}

// matches says whether the pattern of a rule matches a part that it looks at.
func (w *Requests) matches(r *Rule) bool {
	for _, p := range r.parts {
		var ok bool
		if w.loc, ok = r.expr.Match(w.normalised(p), w.loc); ok {
			return true
		}
	}
	return false
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

// seen remembers texts in which no rule found anything: there are few different referers and agents, and
// a site's visitors ask for the same pages and pictures.
type seen [256][]byte

// slot is where a text has its place, by its length, eight bytes from its first third on, and its last eight.
func (s *seen) slot(text []byte) *[]byte {
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

func (s *seen) has(text []byte) bool { return bytes.Equal(*s.slot(text), text) }

func (s *seen) add(text []byte) {
	if len(text) <= 512 {
		slot := s.slot(text)
		*slot = append((*slot)[:0], text...)
	}
}

// Error returns the first rule that matches the message of an error log, nil if none does, and the
// indexes of its groups, stored over loc.
func (w *Requests) Error(e *weblog.Error, loc []int) (*Rule, []int) { return w.rules.findError(e, loc) }
