package spool

// Epoch identifies the spool's numbering of events; [Spool.Numbering] tells the one of a consumer.
func (s *Spool) Epoch() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ledger.epoch
}

// First returns the lowest number that the spool still holds, or Next if it holds none.
func (s *Spool) First() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first()
}

// Next returns the number that the next event gets. The first event of a spool is number 1.
func (s *Spool) Next() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next
}
