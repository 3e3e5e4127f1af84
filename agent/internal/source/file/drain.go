package file

import (
	"slices"
	"time"
)

// retire ends the rotated files that nobody is expected to write to any more, after their last line.
func (f *follower) retire(now time.Time, b *blocks) (lines []byte, more bool) {
	draining := 0
	for _, g := range slices.Backward(f.generations) {
		if f.isLive(g) {
			g.superseded = time.Time{}
			continue
		}
		if g.file == nil && !g.parked || !g.caughtUp {
			continue
		}
		draining++
		if g.superseded.IsZero() {
			g.superseded = now
		}
		quiet := min(now.Sub(g.grown), now.Sub(g.superseded))
		over := g.sealed || quiet >= drainWait || g.unlinked && quiet >= unlinkedWait || draining > maxDraining
		if g.rest && !g.sealed && (over || quiet >= lastLineWait) {
			lines, _, _ := f.read(g, b, now, true)
			return lines, true
		}
		if over {
			if err := g.damage(); err != nil {
				f.fail(err)
			}
			f.drop(g)
			return nil, true
		}
		if g.file != nil && quiet >= parkWait {
			g.park()
		}
	}
	return nil, false
}

func (f *follower) isLive(g *generation) bool {
	return f.present && g.fileID == f.live && !g.sealed && !g.Done
}

// drop is done with g. The newest such file is remembered: files newer than it are new.
func (f *follower) drop(g *generation) {
	g.forget()
	g.Done, f.moved = true, true
	for i, other := range slices.Backward(f.generations) {
		if other.Done && (other.Offset == 0 || slices.ContainsFunc(f.generations[i+1:], func(g *generation) bool { return g.Done })) {
			f.generations = slices.Delete(f.generations, i, i+1)
		}
	}
}
