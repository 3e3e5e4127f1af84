package history

import (
	"context"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// change is what one transaction writes.
type change struct {
	store   *store
	next    summary
	days    map[dayKey]Sum
	marks   map[stream]bool
	agents  map[string]bool
	ordinal int64
	crowd   *crowd
	stored  map[int64]int64 // events by agent
	rolled  rollups
	named   map[named]Sum
	short   bool // addresses are stored as networks only
	row     [19]any
	detail  []byte
}

type dayKey struct {
	day int
	totalKey
}

// write commits a group and notes of who was heard in one transaction, and returns the summary
// that is true then. After an error the file is as before, or, where the disk failed in the
// very commit, as after.
func (s *store) write(known summary, crowd *crowd, group []pending, heard map[string]time.Time) (summary, error) {
	if len(group) == 0 && len(heard) == 0 {
		return known, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.tellPast()
	c := change{
		store: s, next: known.clone(), crowd: crowd, named: make(map[named]Sum), stored: make(map[int64]int64), short: s.networksOnly,
		days: make(map[dayKey]Sum), marks: make(map[stream]bool), agents: make(map[string]bool),
	}
	for _, m := range known.marks {
		c.ordinal = max(c.ordinal, m.ordinal)
	}
	err := s.transaction(func() error {
		for i := range group {
			if err := c.add(&group[i]); err != nil {
				return err
			}
		}
		for name, at := range heard {
			if a, ok := c.agent(name); ok {
				a.heard = at
				c.next.agents[name], c.agents[name] = a, true
			}
		}
		return c.flush()
	})
	if err != nil {
		return known, err
	}
	return c.next, nil
}

// add stages a batch: its events are inserted, the rest waits for flush.
func (c *change) add(p *pending) error {
	switch {
	case p.correction != nil:
		return c.correct(p)
	case p.forget:
		return c.forget(p)
	}
	a, ok := c.agent(p.agent)
	if !ok {
		return nil // more agents than are allowed joined within one group; none of it is counted
	}
	at := stream{p.agent, p.epoch}
	m, ok := c.next.marks[at]
	if !ok {
		c.ordinal++
		m.ordinal = c.ordinal
	}
	last := p.last()
	if last <= m.committed {
		return nil
	}
	if len(p.events) == 0 && p.attempts > 0 {
		a.dropped = a.dropped.plus(Sum{Events: last - m.committed, Attempts: p.attempts})
		c.next.agents[p.agent], c.agents[p.agent] = a, true
	}
	c.rolled.begin(p.arrived, len(p.events))
	if err := c.arrive(p.arrived); err != nil {
		return err
	}
	for i := range p.events {
		if sequence := p.first + uint64(i); sequence > m.committed {
			if err := c.insert(p, a.id, sequence, &p.events[i]); err != nil {
				return err
			}
		}
	}
	m.committed = last
	c.next.marks[at], c.marks[at] = m, true
	return nil
}

// agent returns the row of an agent, a new one if need be and if there is room.
func (c *change) agent(name string) (agent, bool) {
	a, ok := c.next.agents[name]
	if ok {
		return a, true
	}
	if len(c.next.agents) >= MaxAgents {
		return agent{}, false
	}
	for _, other := range c.next.agents {
		a.id = max(a.id, other.id)
	}
	a.id++
	c.next.agents[name], c.agents[name] = a, true
	return a, true
}

// insert writes one event and adds it to the totals.
func (c *change) insert(p *pending, agentID int64, sequence uint64, e *attack.Event) error {
	if c.short {
		short := *e
		short.SourceIP, short.SourceHost, short.SourcePort = coarse(e.SourceIP), "", 0
		e = &short
	}
	c.detail = appendDetail(c.detail[:0], e.Detail)
	c.next.last++
	c.row = [...]any{
		c.next.last, agentID, int64(p.epoch), int64(sequence), p.arrived.UnixNano(), stamp(e.Logged), e.Observed.UnixNano(),
		int64(e.Kind), int64(e.Severity), flag(e.Test), int64(e.Count), text(e.Rule), blob(e.SourceIP.AsSlice()),
		text(e.SourceHost), int64(e.SourcePort), text(e.User), text(e.Log), blob(c.detail), text(e.Host),
	}
	if _, err := c.store.insert.ExecContext(context.Background(), c.row[:]...); err != nil {
		return err
	}
	c.stored[agentID]++
	to := totalKey{p.agent, e.Kind, e.Test}
	one := Sum{Events: 1, Attempts: e.Count}
	c.next.totals[to] = c.next.totals[to].plus(one)
	day := dayKey{dayOf(p.arrived), to}
	c.days[day] = c.days[day].plus(one)
	c.roll(to, agentID, e)
	return nil
}

// roll adds an event to the roll-ups.
func (c *change) roll(to totalKey, agentID int64, e *attack.Event) {
	sum := sumOfOne(e.Kind, e.Count, e.Detail)
	c.name(to, e, sum)
	listed, kind := &c.rolled.lists, int64(e.Kind)
	if e.Test {
		kind |= testKind
	}
	listed.set(group{agentID, kind})
	listed.machine(c.crowd.key(agentID, e.Kind, e.Host, e.Detail), sum)
	listed.network(e.SourceIP, sum)
	listed.address(e.SourceIP, sum)
	listed.text(e.User, e.Detail, sum)
}

// sumOfOne is what an event adds. A counter counts what was reported of it.
func sumOfOne(kind attack.Kind, count uint64, detail attack.Detail) Sum {
	if reported, ok := detail.(attack.Count); ok && kind == attack.Counter {
		count = reported.Value
	}
	return Sum{Events: 1, Attempts: min(count, maxDay)}
}

// flush writes the rows of the small tables that changed.
func (c *change) flush() error {
	if err := c.store.putLast(c.next.last); err != nil {
		return err
	}
	for name := range c.agents {
		if err := c.store.putAgent(name, c.next.agents[name]); err != nil {
			return err
		}
	}
	for at, sum := range c.days {
		if err := c.store.addTotal(at, c.next.agents[at.agent].id, int64(sum.Events), int64(sum.Attempts)); err != nil {
			return err
		}
	}
	for id, n := range c.stored {
		if err := c.store.exec(`INSERT INTO stored (agent, events) VALUES (?,?)
			ON CONFLICT DO UPDATE SET events=events+excluded.events`, id, n); err != nil {
			return err
		}
	}
	if err := c.store.putNamed(c.named, c.rolled.hour, c.next.agents); err != nil {
		return err
	}
	if err := c.store.putLists(&c.rolled.lists, c.rolled.zone, c.next.last); err != nil {
		return err
	}
	for name := range c.marked() {
		if err := c.forgetEpochs(name); err != nil {
			return err
		}
	}
	for at := range c.marks {
		m, kept := c.next.marks[at]
		if !kept {
			continue
		}
		if err := c.store.putMark(at, c.next.agents[at.agent].id, m); err != nil {
			return err
		}
	}
	return nil
}

// putLast keeps the id of the last event, so that none is given twice when that event is gone.
func (s *store) putLast(id int64) error {
	return s.exec(`INSERT INTO numbers (name, value) VALUES ('last event', ?) ON CONFLICT (name) DO UPDATE SET value=excluded.value`, id)
}

func (s *store) putAgent(name string, a agent) error {
	return s.exec(`INSERT INTO agents (id, name, heard, dropped_events, dropped_attempts) VALUES (?,?,?,?,?)
		ON CONFLICT (id) DO UPDATE SET heard=excluded.heard,
		dropped_events=excluded.dropped_events, dropped_attempts=excluded.dropped_attempts`,
		a.id, name, stamp(a.heard), int64(a.dropped.Events), int64(a.dropped.Attempts))
}

// addTotal adds to a day's total. A correction takes attempts away, and may leave less than nothing
// of one day.
func (s *store) addTotal(at dayKey, agentID, events, attempts int64) error {
	return s.exec(`INSERT INTO totals (day, agent, kind, test, events, attempts) VALUES (?1,?2,?3,?4,min(?5,?7),min(?6,?7))
		ON CONFLICT (day, agent, kind, test) DO UPDATE SET
		events=min(events+excluded.events,?7), attempts=min(attempts+excluded.attempts,?7)`,
		at.day, agentID, int64(at.kind), flag(at.test), events, attempts, int64(maxDay))
}
