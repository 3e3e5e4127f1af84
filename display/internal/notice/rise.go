package notice

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

const (
	slices60 = 60   // parts of a window, which slides by whole ones
	maxKeys  = 1024 // what one rule counts apart
)

// window counts attempts within a sliding span, and those of the rise that it is in.
type window struct {
	Slices [slices60]uint64 `json:",omitempty"`
	At     int64            // number of the newest slice since 1970
	Risen  bool             // the rise was sent, and is not over
	Total  uint64           // attempts of the rise so far
	Begun  time.Time
}

// sum is the number within the span.
func (w *window) sum() (sum uint64) {
	for _, n := range w.Slices {
		sum += n
	}
	return sum
}

// move slides the window to a slice. A clock that goes back leaves it where it is.
func (w *window) move(at int64) {
	if at-w.At >= slices60 {
		w.Slices, w.At = [slices60]uint64{}, at
	}
	for w.At < at {
		w.At++
		w.Slices[w.At%slices60] = 0
	}
}

// windows are what one rule counts apart, by name.
type windows map[string]*window

// sliceOf numbers the slice of a moment.
func sliceOf(at time.Time, span time.Duration) int64 { return at.UnixNano() / int64(span/slices60) }

// add counts attempts and returns their window. Where too many are counted apart, the quietest is
// forgotten.
func (w windows) add(name string, attempts uint64, at time.Time, span time.Duration) *window {
	one := w[name]
	if one == nil {
		if len(w) >= maxKeys {
			quietest := slices.MinFunc(slices.Collect(maps.Keys(w)), func(a, b string) int {
				return cmp.Or(cmp.Compare(b2i(w[a].Risen), b2i(w[b].Risen)), cmp.Compare(w[a].sum(), w[b].sum()), cmp.Compare(a, b))
			})
			delete(w, quietest)
		}
		one = &window{At: sliceOf(at, span), Begun: at}
		w[name] = one
	}
	one.move(sliceOf(at, span))
	one.Slices[one.At%slices60] += attempts
	if one.Risen {
		one.Total += attempts
	}
	return one
}
