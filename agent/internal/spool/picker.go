package spool

// picker gathers events without gaps from what add is given.
type picker struct {
	after uint64
	limit int

	first uint64
	count int
	batch []byte
	done  bool
}

// add takes of count events, numbered from first, what follows and still fits.
func (p *picker) add(first uint64, count int, events []byte) {
	wanted := p.after + 1
	if p.count > 0 {
		wanted = p.first + uint64(p.count)
	}
	if p.done || count == 0 || first+uint64(count) <= wanted {
		return
	}
	if first > wanted && p.count > 0 {
		p.done = true
		return
	}
	for ; first < wanted; first++ {
		events = events[eventBytes(events):]
		count--
	}
	used := 0
	taken := 0
	for ; taken < count; taken++ {
		size := eventBytes(events[used:])
		if len(p.batch)+used+size > p.limit && p.count+taken > 0 {
			p.done = true
			break
		}
		used += size
	}
	if p.count == 0 {
		p.first = first
		p.batch = events[:used:used] // append copies
	} else {
		p.batch = append(p.batch, events[:used]...)
	}
	p.count += taken
}
