package spool

import "sort"

// recentBytes bounds the events that are kept in memory.
const recentBytes = 2 << 20

// chunkOverhead is about what a chunk costs beside its bytes.
const chunkOverhead = 64

// recent holds the newest events, so that a consumer that keeps up is served without reading the
// disk.
type recent struct {
	chunks []chunk
	bytes  int
}

// chunk is what one commit added.
type chunk struct {
	first uint64
	count int
	batch []byte
}

func (r *recent) add(c chunk) {
	r.chunks = append(r.chunks, c)
	r.bytes += len(c.batch) + chunkOverhead
	for r.bytes > recentBytes {
		r.drop()
	}
}

// forget drops what ends at or before the number through.
func (r *recent) forget(through uint64) {
	for len(r.chunks) > 0 && r.chunks[0].first+uint64(r.chunks[0].count)-1 <= through {
		r.drop()
	}
}

func (r *recent) drop() {
	r.bytes -= len(r.chunks[0].batch) + chunkOverhead
	r.chunks[0] = chunk{}
	r.chunks = r.chunks[1:]
	if len(r.chunks) == 0 {
		r.chunks = nil
	}
}

// pick picks what follows p.after, and returns false if that is not in memory.
func (r *recent) pick(p *picker) bool {
	if len(r.chunks) == 0 || r.chunks[0].first > p.after+1 {
		return false
	}
	i := sort.Search(len(r.chunks), func(i int) bool {
		return r.chunks[i].first+uint64(r.chunks[i].count) > p.after+1
	})
	for ; i < len(r.chunks) && !p.done; i++ {
		p.add(r.chunks[i].first, r.chunks[i].count, r.chunks[i].batch)
	}
	return p.count > 0
}
