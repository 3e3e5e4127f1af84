package spool

import (
	"strings"
	"testing"
)

// What is kept in memory is bounded with what it costs beside its bytes, and what is dropped is held no longer.
func TestRecentEventsAreBounded(t *testing.T) {
	t.Parallel()
	var r recent
	const half = recentBytes/2 - chunkOverhead
	r.add(chunk{1, 1, make([]byte, half)})
	r.add(chunk{2, 1, make([]byte, half)})
	if len(r.chunks) != 2 || r.bytes != recentBytes {
		t.Fatalf("%d chunks of %d bytes, want both", len(r.chunks), r.bytes)
	}
	r.add(chunk{3, 1, nil})
	if len(r.chunks) != 2 || r.chunks[0].first != 2 || r.bytes != recentBytes/2+chunkOverhead {
		t.Errorf("with one more %d chunks of %d bytes", len(r.chunks), r.bytes)
	}
	r.forget(1)
	if len(r.chunks) != 2 {
		t.Error("what was forgotten already drops another chunk")
	}
	before := r.chunks
	r.forget(2)
	if len(r.chunks) != 1 || before[0].batch != nil {
		t.Errorf("%d chunks are left, and of the former one %d bytes", len(r.chunks), len(before[0].batch))
	}
	if r.forget(3); r.chunks != nil || r.bytes != 0 {
		t.Errorf("of nothing %d bytes are left in %v", r.bytes, r.chunks)
	}
}

// Memory answers from any number on that it has, and leaves what is before to the disk.
func TestPickingRecentEvents(t *testing.T) {
	t.Parallel()
	var r recent
	if r.pick(&picker{limit: 100}) {
		t.Error("there is something in nothing")
	}
	const a, b, c, d, e = "\x0a\x01a", "\x0a\x01b", "\x0a\x01c", "\x0a\x01d", "\x0a\x01e"
	r.add(chunk{5, 1, []byte(a)})
	r.add(chunk{6, 2, []byte(b + c)})
	r.add(chunk{8, 1, []byte(d)})
	r.add(chunk{10, 1, []byte(e)}) // 9 was lost
	for _, test := range []struct {
		after uint64
		limit int
		first uint64
		want  string
	}{
		{3, 100, 0, ""}, {4, 100, 5, a + b + c + d}, {5, 100, 6, b + c + d}, {6, 100, 7, c + d}, {7, 100, 8, d}, {8, 100, 10, e}, {9, 100, 10, e}, {10, 100, 0, ""},
		{4, 1, 5, a}, {4, 5, 5, a}, {4, 6, 5, a + b}, {4, 9, 5, a + b + c}, {5, 3, 6, b},
	} {
		p := picker{after: test.after, limit: test.limit}
		ok := r.pick(&p)
		if ok != (test.want != "") || string(p.batch) != test.want || p.first != test.first || p.count != strings.Count(test.want, "\n") {
			t.Errorf("after %d, in %d bytes: %d events from %d on, %q, %t; want %q from %d on", test.after, test.limit, p.count, p.first, p.batch, ok, test.want, test.first)
		}
	}
}
