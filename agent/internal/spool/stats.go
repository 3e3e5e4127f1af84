package spool

import "time"

// Stats describes a spool.
type Stats struct {
	First, Next uint64    // numbers held: from First up to but not including Next
	Waiting     uint64    // events that some consumer has not acknowledged
	Written     time.Time // when the newest frame was, by the clock on the wall; zero if there is none
	Bytes       int64
	Dropped     Loss
	Refused     uint64            // events outside their bounds, since the spool was opened
	Acked       map[string]uint64 // by consumer: the last number committed there
}

// Stats returns a description of the spool as it is now.
func (s *Spool) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := Stats{
		First: s.first(), Next: s.next, Written: s.ledger.wall,
		Bytes: s.bytes(), Dropped: s.ledger.lost, Refused: s.refused, Acked: map[string]uint64{},
	}
	if from := max(stats.First, s.ledger.delivered()+1); from < s.next {
		stats.Waiting = s.next - from
	}
	for _, d := range s.ledger.consumers {
		stats.Acked[d.name] = d.acked
	}
	return stats
}

// Dropped returns how many events were lost since the spool began, and the attempts that they
// stood for.
func (s *Spool) Dropped() (events, attempts uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ledger.lost.Events, s.ledger.lost.Attempts
}

func (s *Spool) bytes() (total int64) {
	for _, g := range s.segments {
		total += g.size
	}
	return total
}
