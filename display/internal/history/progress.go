package history

import "errors"

// Progress is called with how far it is to make the roll-ups of a file anew, which takes minutes of a Pi for millions of
// events: what is summed up, and how many events of how many were. It is called from the goroutine that waits for it.
type Progress func(of string, events, all int64)

// progressEach is after how many events [Progress] is called.
const progressEach = 1 << 12

// eachEvent returns what is to be called with the id of each event that is summed up, in their order.
func (s *store) eachEvent(of string) (at func(id int64), err error) {
	end := func(order string) (int64, error) {
		return s.number(`SELECT max(id) FROM (SELECT id FROM events WHERE sequence > 0 ORDER BY id ` + order + ` LIMIT 1)`)
	}
	first, err := end("ASC")
	last, wrong := end("DESC")
	met := 0
	return func(id int64) {
		if met++; s.progress != nil && (met%progressEach == 0 || id == last) {
			s.progress(of, id-first+1, last-first+1)
		}
	}, errors.Join(err, wrong)
}
