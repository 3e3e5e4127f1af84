package episode

import "time"

// get returns the entry of a subject as the newest one; where there is none it makes one, or returns
// nil.
func (s *Spread) get(subject *Subject, sec int64, create bool) *spreadEntry {
	e := s.find(subject)
	if e == nil {
		if !create {
			return nil
		}
		e = s.add(subject)
	} else if create && e != s.newest {
		s.unlink(e)
		s.link(e)
	}
	if create {
		e.last = sec
		s.touch(&e.subject)
	}
	return e
}

// find returns the entry of a subject, or nil. The next hit is mostly of the subject that the last one
// was of.
func (s *Spread) find(subject *Subject) *spreadEntry {
	if s.newest != nil && s.newest.subject == *subject {
		return s.newest
	}
	place := subject.place()
	if s.crowd[place] == 0 {
		return nil
	}
	near := &s.near[place]
	if *near == nil || (*near).subject != *subject {
		e := s.entries[*subject]
		if e == nil {
			return nil
		}
		*near = e
	}
	return *near
}

// add makes an entry for a subject that has none, in place of the oldest one if there are too many.
func (s *Spread) add(subject *Subject) *spreadEntry {
	if len(s.entries) >= s.limits.MaxSubjects {
		s.evicted++
		s.remove(s.oldest)
	}
	e := s.free
	if e == nil {
		e = &spreadEntry{}
	} else {
		s.free = e.older
		*e = spreadEntry{}
	}
	e.subject = *subject
	s.enter(e)
	s.near[subject.place()] = e
	s.link(e)
	return e
}

// enter lets an entry be found.
func (s *Spread) enter(e *spreadEntry) {
	s.entries[e.subject] = e
	s.crowd[e.subject.place()]++
}

// remove forgets an entry, and ends its episode.
func (s *Spread) remove(e *spreadEntry) {
	if e.attempts > 0 {
		s.end(e, time.Unix(e.last, 0).UTC())
	}
	s.unlink(e)
	delete(s.entries, e.subject)
	s.touch(&e.subject)
	place := e.subject.place()
	s.crowd[place]--
	if s.near[place] == e {
		s.near[place] = nil
	}
	e.older, s.free = s.free, e
}

func (s *Spread) link(e *spreadEntry) {
	e.older, e.newer = s.newest, nil
	if s.newest != nil {
		s.newest.newer = e
	} else {
		s.oldest = e
	}
	s.newest = e
}

func (s *Spread) unlink(e *spreadEntry) {
	if e.older != nil {
		e.older.newer = e.newer
	} else {
		s.oldest = e.newer
	}
	if e.newer != nil {
		e.newer.older = e.older
	} else {
		s.newest = e.older
	}
}

func (s *Spread) touch(subject *Subject) {
	if s.changed != nil {
		s.changed[*subject] = struct{}{}
	}
}
