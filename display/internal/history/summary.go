package history

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/private"
)

// summary is all that the file says beside the events: small, and kept for ever. A summary does
// not change once it is made; each commit makes a new one.
type summary struct {
	agents map[string]agent
	marks  map[stream]mark
	totals map[totalKey]Sum
	last   int64 // id of the last event, whether it is still there or not
}

// stream is one numbering of events.
type stream struct {
	agent string
	epoch uint64
}

// mark is the highest number of a stream that is committed.
type mark struct {
	committed uint64
	ordinal   int64 // rises with each new stream, to tell the newest
}

// totalKey is what a total is kept by; the lamps have routes of their own.
type totalKey struct {
	agent string
	kind  attack.Kind
	test  bool
}

type agent struct {
	id      int64
	heard   time.Time // zero if never
	dropped Sum
}

// Sum counts events and the attempts that they stand for.
type Sum struct {
	Events   uint64 `json:"events"`
	Attempts uint64 `json:"attempts"`
}

// plus adds and stays at maxSum rather than wrap.
func (s Sum) plus(t Sum) Sum {
	return Sum{
		Events:   min(min(s.Events, maxSum)+min(t.Events, maxSum), maxSum),
		Attempts: min(min(s.Attempts, maxSum)+min(t.Attempts, maxSum), maxSum),
	}
}

// with adds, too, but what is 2^63 and more is less than nothing: what a correction took away.
func (s Sum) with(t Sum) Sum {
	return Sum{
		Events:   uint64(min(int64(s.Events)+int64(t.Events), int64(maxSum))),
		Attempts: uint64(min(int64(s.Attempts)+int64(t.Attempts), int64(maxSum))),
	}
}

// shown is the sum, or nothing of what is less than nothing.
func (s Sum) shown() Sum {
	return Sum{uint64(max(int64(s.Events), 0)), uint64(max(int64(s.Attempts), 0))}
}

// minus returns what s has more than t.
func (s Sum) minus(t Sum) Sum {
	return Sum{Events: s.Events - min(s.Events, t.Events), Attempts: s.Attempts - min(s.Attempts, t.Attempts)}
}

func newSummary() summary {
	return summary{agents: map[string]agent{}, marks: map[stream]mark{}, totals: map[totalKey]Sum{}}
}

func (s summary) clone() summary {
	return summary{agents: maps.Clone(s.agents), marks: maps.Clone(s.marks), totals: maps.Clone(s.totals), last: s.last}
}

// ordinals returns those of an agent's marks, the oldest first.
func (s summary) ordinals(agent string) []int64 {
	var list []int64
	for at, m := range s.marks {
		if at.agent == agent {
			list = append(list, m.ordinal)
		}
	}
	slices.Sort(list)
	return list
}

// merge returns the summary that loses nothing of either: the higher of each mark and total.
func (s summary) merge(t summary) summary {
	merged := s.clone()
	merged.last = max(s.last, t.last)
	for name, a := range t.agents {
		mine, ok := merged.agents[name]
		if !ok && len(merged.agents) >= MaxAgents {
			continue
		}
		if a.heard.After(mine.heard) {
			mine.heard = a.heard
		}
		mine.dropped = mine.dropped.plus(a.dropped.minus(mine.dropped))
		merged.agents[name] = mine
	}
	for at, m := range t.marks {
		mine := merged.marks[at]
		merged.marks[at] = mark{max(mine.committed, m.committed), max(mine.ordinal, m.ordinal)}
	}
	for at, sum := range t.totals {
		mine := merged.totals[at]
		merged.totals[at] = mine.plus(sum.minus(mine))
	}
	return merged
}

// summarySuffix names the copy of the summary that stands beside the file. It is read only when
// the file is damaged so far that its own tables cannot be read.
const summarySuffix = ".totals"

// maxSummary bounds what is read of a copy, in bytes.
const maxSummary = 16 << 20

// saved is the form of the copy: JSON, one list per table.
type saved struct {
	Agents []savedAgent `json:"agents"`
	Marks  []savedMark  `json:"marks"`
	Totals []Total      `json:"totals"`
	Last   int64        `json:"last_event"`
}

type savedAgent struct {
	ID      int64     `json:"id"`
	Name    string    `json:"name"`
	Heard   time.Time `json:"heard"`
	Dropped Sum       `json:"dropped"`
}

type savedMark struct {
	Agent     string `json:"agent"`
	Epoch     uint64 `json:"epoch"`
	Committed uint64 `json:"committed"`
	Ordinal   int64  `json:"ordinal"`
}

// copySummary writes the copy unless it is up to date.
func (h *History) copySummary() {
	if h.copied {
		return
	}
	if err := writeSummary(h.options.Path+summarySuffix, h.known); err != nil {
		h.log.Warn("cannot keep a copy of the totals", "error", err)
		return
	}
	h.copied = true
}

// writeSummary replaces the copy at path; a crash leaves the old copy or the new one.
func writeSummary(path string, s summary) error {
	out := saved{Last: s.last}
	for name, a := range s.agents {
		out.Agents = append(out.Agents, savedAgent{a.id, name, a.heard, a.dropped})
	}
	for at, m := range s.marks {
		out.Marks = append(out.Marks, savedMark{at.agent, at.epoch, m.committed, m.ordinal})
	}
	out.Totals = listTotals(s.totals)
	text, err := json.Marshal(out)
	if err != nil {
		return err
	}
	return private.Dir(filepath.Dir(path)).Write(filepath.Base(path), text)
}

// readSummary reads a copy; a missing one is an empty summary.
func readSummary(path string) (summary, error) {
	s := newSummary()
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil && info.Size() > maxSummary {
		err = fmt.Errorf("%s has %d bytes, at most %d are read", path, info.Size(), maxSummary)
	}
	if err != nil {
		return s, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return s, err
	}
	var in saved
	if err := json.Unmarshal(text, &in); err != nil {
		return s, fmt.Errorf("cannot read %s: %w", path, err)
	}
	s.last = max(in.Last, 0)
	for _, a := range in.Agents {
		s.agents[a.Name] = agent{id: a.ID, heard: a.Heard, dropped: a.Dropped}
	}
	for _, m := range in.Marks {
		s.marks[stream{m.Agent, m.Epoch}] = mark{m.Committed, m.Ordinal}
	}
	for _, t := range in.Totals {
		s.totals[totalKey{t.Agent, t.Kind, t.Test}] = t.Sum
	}
	return s, nil
}

// Total is what was counted of one kind from one agent. Tests are apart.
type Total struct {
	Agent string      `json:"agent"`
	Kind  attack.Kind `json:"kind"`
	Test  bool        `json:"test,omitempty"`
	Sum
}

func listTotals(totals map[totalKey]Sum) []Total {
	list := make([]Total, 0, len(totals))
	for at, sum := range totals {
		list = append(list, Total{at.agent, at.kind, at.test, sum})
	}
	slices.SortFunc(list, func(a, b Total) int {
		return cmp.Or(cmp.Compare(a.Agent, b.Agent), cmp.Compare(a.Kind, b.Kind), cmp.Compare(flag(a.Test), flag(b.Test)))
	})
	return list
}
