package rule

import (
	"encoding/binary"
	"slices"

	"github.com/pialert/pialert/agent/internal/weblog"
)

// Requests judges the lines of web logs. It remembers which rules match targets, referers and user agents,
// and belongs to one goroutine.
type Requests struct {
	rules   *requests
	matched []*Rule // that match some part of the request at work, in the order of the rules
	found   []*Rule // candidates for the part at work
	normal  []byte  // the text of that part as patterns see it
	loc     []int
	seen    [parts]seen
}

// Requests returns a judge by the rules of the set.
func (s *Set) Requests() *Requests { return &Requests{rules: s.requests()} }

// Verdict returns the most severe rule for a request, nil if none matches it. A rule with the role
// ignore hides those behind it, and is the verdict if there is none before.
func (w *Requests) Verdict(a *weblog.Access) *Rule {
	w.matched = w.matched[:0]
	w.match(target, a.Target)
	w.match(referer, a.Referer)
	w.match(agent, a.Agent)
	if a.User != nil {
		w.match(user, a.User)
	}
	if isMalformed(a) {
		w.match(malformed, a.Request)
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

// match adds the rules that match the text of a part of the request, which mostly is that of an earlier request.
func (w *Requests) match(p part, text []byte) {
	place := w.seen[p].at(text)
	rules := place.rules
	if !place.known || string(place.text) != string(text) {
		rules = w.search(p, text)
		place.keep(text, rules)
	}
	for _, r := range rules {
		w.matched = insert(w.matched, r)
	}
}

// search returns the rules that match the text of a part. It looks for their literals in the text as logged where that
// has no escapes, and makes what patterns see only if there are some.
func (w *Requests) search(p part, text []byte) []*Rule {
	searcher := &w.rules.searchers[p]
	if hasEscapes(text, p) {
		w.normal = normalised(w.normal[:0], text, p)
		w.found = searcher.search(w.normal, w.found[:0])
	} else if w.found = searcher.search(text, w.found[:0]); len(w.found) > 0 {
		w.normal = normalised(w.normal[:0], text, p)
	}
	return slices.DeleteFunc(w.found, func(r *Rule) (not bool) {
		var ok bool
		w.loc, ok = r.expr.Match(w.normal, w.loc)
		return !ok
	})
}

// hasEscapes says whether what a text means can differ from the text in more than the case of letters.
func hasEscapes(text []byte, p part) bool {
	for _, c := range text {
		if escapes[c] && (c != '+' || p == target) {
			return true
		}
	}
	return false
}

// escapes are the bytes by which a text can differ from what it means.
var escapes = [256]bool{'%': true, '\\': true, '#': true, '+': true}

// normalised appends the text of a part as patterns see it.
func normalised(dst, text []byte, p part) []byte {
	if p == user {
		return append(dst, text...)
	}
	return weblog.Normalise(dst, text)
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
