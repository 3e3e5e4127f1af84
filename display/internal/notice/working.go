package notice

import "time"

// Working is something that says whether it works now, but not since when.
type Working struct {
	Name  string // as of [Heard]
	State string // what it is while it does not work, such as "could not be read"
	Works bool
}

// Worked remembers when each of them worked last; what it hears of for the first time and does not work, it
// waits for from then on. The zero value has heard of none. It is for one goroutine.
type Worked struct{ last map[string]time.Time }

// Look returns what is known of them all at a time. What is not among them is forgotten.
func (w *Worked) Look(all []Working, now time.Time) []Heard {
	last, heard := map[string]time.Time{}, make([]Heard, len(all))
	for i, one := range all {
		since, known := w.last[one.Name]
		if one.Works || !known {
			since = now
		}
		last[one.Name] = since
		heard[i] = Heard{Name: one.Name, State: one.State, Since: since, Alive: one.Works}
	}
	w.last = last
	return heard
}
