package pattern

// Compiled says whether the matcher of this package serves the pattern; otherwise regexp does.
func (p *Pattern) Compiled() bool {
	p.built.Do(p.build)
	return p.start != nil
}
