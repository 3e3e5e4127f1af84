package terminal

import "time"

// A sparkline is of the last minute.
const (
	sparks    = 30
	sparkStep = 2 * time.Second
)

// activity is what a lamp counted in the steps of the last minute.
type activity struct {
	counts [sparks]uint64
	step   int64 // the newest, in steps since 1970
}

// add counts at a time, which does not go back by more than a minute.
func (a *activity) add(at time.Time, n uint64) {
	a.roll(at)
	if age := a.step - stepOf(at); age < sparks {
		a.counts[sparks-1-max(age, 0)] += n
	}
}

// roll moves on to a time and says whether there is anything left to see.
func (a *activity) roll(now time.Time) (busy bool) {
	if past := stepOf(now) - a.step; past > 0 {
		past = min(past, sparks)
		copy(a.counts[:], a.counts[past:])
		clear(a.counts[sparks-past:])
		a.step = stepOf(now)
	}
	return a.counts != [sparks]uint64{}
}

func stepOf(t time.Time) int64 { return t.UnixNano() / int64(sparkStep) }

// bars are the heights of a sparkline. None fills its row: lamps stand right below each other.
var bars = []rune("▁▂▃▄▅▆▇")

// line draws the minute in so many columns, of which each stands for as many steps as the others.
func (a *activity) line(columns int) []rune {
	per := (sparks + columns - 1) / columns
	columns = sparks / per
	sums := make([]uint64, columns)
	highest := uint64(3) // one event alone is no peak
	for i, n := range a.counts[sparks-columns*per:] {
		sums[i/per] += n
		highest = max(highest, sums[i/per])
	}
	text := make([]rune, columns)
	for i, n := range sums {
		text[i] = bars[0]
		if n > 0 {
			text[i] = bars[max(1, int(float64(n)/float64(highest)*float64(len(bars)-1)+0.5))]
		}
	}
	return text
}
