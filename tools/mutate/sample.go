package main

import (
	"math/rand/v2"
	"slices"
	"strings"
)

// sample hands out changes in an order that a seed draws, one target after the other, so that each
// has its share.
type sample struct {
	queues  [][]mutation
	at      int
	pending int // handed out and not settled yet
}

// draw shuffles all changes whose file contains a text.
func draw(root, only string, seed uint64) (*sample, error) {
	random := rand.New(rand.NewPCG(seed, 0))
	s := &sample{}
	for i := range targets {
		all, err := mutations(root, &targets[i])
		if err != nil {
			return nil, err
		}
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		var queue []mutation
		for _, m := range all {
			if strings.Contains(m.file, only) {
				queue = append(queue, m)
			}
		}
		s.queues = append(s.queues, queue)
	}
	return s, nil
}

// packages returns the packages whose tests it needs.
func (s *sample) packages() (all []string) {
	for _, queue := range s.queues {
		if len(queue) == 0 {
			continue
		}
		for _, dir := range queue[0].target.tests {
			if !slices.Contains(all, dir) {
				all = append(all, dir)
			}
		}
	}
	return all
}

// next hands out a change unless as many as are wanted are being tried.
func (s *sample) next(wanted int) (mutation, bool) {
	if s.pending >= wanted {
		return mutation{}, false
	}
	for range s.queues {
		queue := &s.queues[s.at]
		s.at = (s.at + 1) % len(s.queues)
		if len(*queue) > 0 {
			m := (*queue)[0]
			*queue = (*queue)[1:]
			s.pending++
			return m, true
		}
	}
	return mutation{}, false
}

// settled notes that a change was tried.
func (s *sample) settled() { s.pending-- }
