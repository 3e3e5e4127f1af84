package episode

import (
	"cmp"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/packed"
)

// errSaved means that a saved value is not one of ours.
var errSaved = errors.New("what was saved of an episode is damaged")

// Changes calls put with what changed since the last call: a subject's name and what is known of it,
// nil if that was forgotten.
func (s *Spread) Changes(put func(name string, value []byte)) {
	if s.changed == nil {
		s.changed = map[Subject]struct{}{}
		for subject := range s.entries {
			s.touch(&subject)
		}
	}
	for subject := range s.changed {
		var value []byte
		if e := s.entries[subject]; e != nil {
			value = e.encode()
		}
		put(subject.name(), value)
	}
	clear(s.changed)
}

// Restore takes back what Changes gave. All of it has to be restored before the first hit. A value that
// is damaged is an error: the subject then starts anew, and is forgotten by the next Changes.
func (s *Spread) Restore(name string, value []byte) error {
	if s.changed == nil {
		s.changed = map[Subject]struct{}{}
	}
	subject, err := parseSubject(name)
	if err != nil {
		return err
	}
	e := &spreadEntry{subject: subject}
	if !e.decode(value) || s.entries[subject] != nil || len(s.entries) >= s.limits.MaxSubjects {
		s.touch(&subject)
		return errSaved
	}
	s.enter(e)
	s.untidy = true
	return nil
}

// order links restored entries by their last hit.
func (s *Spread) order() {
	if !s.untidy {
		return
	}
	s.untidy = false
	entries := make([]*spreadEntry, 0, len(s.entries))
	for _, e := range s.entries {
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b *spreadEntry) int {
		return cmp.Or(cmp.Compare(a.last, b.last), cmp.Compare(a.subject.name(), b.subject.name()))
	})
	s.newest, s.oldest = nil, nil
	for _, e := range entries {
		s.link(e)
	}
}

// name is how a subject is saved: "192.0.2.0/24", or a user's name behind a colon.
func (s Subject) name() string {
	if s.Network.IsValid() {
		return s.Network.String()
	}
	return ":" + s.User
}

func parseSubject(name string) (Subject, error) {
	if user, ok := strings.CutPrefix(name, ":"); ok {
		return Subject{User: user}, nil
	}
	network, err := netip.ParsePrefix(name)
	if err != nil {
		return Subject{}, errSaved
	}
	return Subject{Network: network}, nil
}

func (e *spreadEntry) encode() []byte {
	b := binary.AppendVarint(nil, e.last)
	b = binary.AppendVarint(b, e.turn)
	for _, n := range []uint64{uint64(e.hits[0]), uint64(e.hits[1]), uint64(e.others[0]), uint64(e.others[1]), e.attempts, e.reported, e.distinct} {
		b = binary.AppendUvarint(b, n)
	}
	b = binary.AppendVarint(b, e.eventAt)
	b = packed.AppendBool(packed.AppendAddr(b, e.addr), e.mixed)
	for _, t := range e.things { // those that there are not as zeros
		b = binary.AppendUvarint(b, uint64(t.hash))
		b = binary.AppendVarint(b, t.sec)
	}
	if len(e.linked[0])+len(e.linked[1]) > 0 {
		for _, hashes := range e.linked {
			b = binary.AppendUvarint(b, uint64(len(hashes)))
			for _, hash := range hashes {
				b = binary.AppendUvarint(b, uint64(hash))
			}
		}
	}
	return b
}

func (e *spreadEntry) decode(value []byte) bool {
	d := packed.Reader{Rest: value}
	e.last, e.turn = d.Varint(), d.Varint()
	e.hits, e.others = [2]uint32{uint32(d.Uvarint()), uint32(d.Uvarint())}, [2]uint32{uint32(d.Uvarint()), uint32(d.Uvarint())}
	e.attempts, e.reported, e.distinct, e.eventAt = d.Uvarint(), d.Uvarint(), d.Uvarint(), d.Varint()
	e.addr, e.mixed = d.Addr(), d.Bool()
	for i := range e.things {
		if e.things[i] = (thing{uint32(d.Uvarint()), d.Varint()}); e.things[i].sec != 0 && e.known == i {
			e.known++
		}
	}
	if len(d.Rest) > 0 {
		for i := range e.linked {
			for range min(d.Uvarint(), uint64(len(d.Rest))) {
				e.linked[i] = append(e.linked[i], uint32(d.Uvarint()))
			}
		}
	}
	return d.Done() && e.reported <= e.attempts && e.attempts <= attack.MaxEpisode && e.distinct <= attack.MaxEpisode
}
