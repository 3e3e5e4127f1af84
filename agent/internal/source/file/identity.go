package file

import "bytes"

// verify makes sure that the file still begins as it did, after a block was read from it: the block
// is from the same content then. It completes next, the mark after the block, with its head.
func (g *generation) verify(b *blocks, next *mark) error {
	first := b.head[:next.headLength()]
	n, err := readAt(g.data, first, 0)
	if err != nil {
		return err
	}
	known := g.headLength()
	if n < len(first) || hashHead(first[:known]) != g.Head {
		return errTruncated
	}
	next.Head = hashHead(first)
	return nil
}

// holds reports whether the file is the one that m is a place in.
func (g *generation) holds(m mark) (bool, error) {
	if m.Offset == 0 {
		return g.fileID == m.fileID && g.Born == m.Born && !g.sealed, nil
	}
	first, err := g.first(m.headLength())
	return int64(len(first)) == m.headLength() && hashHead(first) == m.Head, err
}

// intact reports whether the file still has what was read of it, as far as its size and head tell.
func (g *generation) intact() bool {
	if g.sealed {
		return true
	}
	info, err := g.file.Stat()
	if err != nil || info.Size() < g.Offset {
		return err != nil
	}
	same, err := g.holds(g.mark) // by its head, or because nothing was read of it
	return err != nil || same
}

// startsAs reports whether one of two open files is a copy of the other, as far as they begin the same
// and neither is empty. The older one may have grown since.
func (g *generation) startsAs(other *generation) (bool, error) {
	a, err := g.first(headSize)
	if err != nil {
		return false, err
	}
	b, err := other.first(headSize)
	n := min(len(a), len(b))
	return n > 0 && bytes.Equal(a[:n], b[:n]), err
}

// first returns up to n bytes from the start of the file.
func (g *generation) first(n int64) ([]byte, error) {
	first := make([]byte, n)
	read, err := readAt(g.data, first, 0)
	if u, ok := g.data.(*unpacked); ok {
		u.rest()
	}
	return first[:read], err
}
