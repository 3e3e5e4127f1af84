package policy

// Sources returns how many sources are remembered.
func (p *Policy) Sources() int { return len(p.known) }
