package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// sample hands out changes in an order that a seed draws, one target after the other, so that each
// has its share. The place of a change depends on the seed and on itself alone: a commit alters the
// sample by the changes that it makes possible or impossible, so scores of commits compare.
type sample struct {
	queues  [][]mutation
	at      int
	pending int // handed out and not settled yet
}

// draw orders all changes whose file contains a text.
func draw(root, only string, seed uint64) (*sample, error) {
	s := &sample{}
	for i := range targets {
		all, err := mutations(root, &targets[i])
		if err != nil {
			return nil, err
		}
		all = slices.DeleteFunc(all, func(m mutation) bool { return !strings.Contains(m.file, only) })
		s.queues = append(s.queues, shuffled(all, seed))
	}
	return s, nil
}

// shuffled returns changes in the order that a seed gives them.
func shuffled(all []mutation, seed uint64) []mutation {
	place := func(m mutation) uint64 {
		sum := sha256.Sum256(fmt.Appendf(nil, "%d\n%s", seed, m.identity()))
		return binary.BigEndian.Uint64(sum[:])
	}
	slices.SortFunc(all, func(a, b mutation) int { return cmp.Compare(place(a), place(b)) })
	return all
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
