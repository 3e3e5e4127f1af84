package history

// marked returns the agents whose marks changed.
func (c *change) marked() map[string]bool {
	names := make(map[string]bool)
	for at := range c.marks {
		names[at.agent] = true
	}
	return names
}

// forgetEpochs drops the marks of an agent's oldest epochs when it has had too many, before those of
// this transaction are written.
func (c *change) forgetEpochs(name string) error {
	ordinals := c.next.ordinals(name)
	if len(ordinals) <= maxEpochs {
		return nil
	}
	oldest := ordinals[len(ordinals)-maxEpochs] // that is kept
	for at, m := range c.next.marks {
		if at.agent == name && m.ordinal < oldest {
			delete(c.next.marks, at)
		}
	}
	return c.store.exec(`DELETE FROM marks WHERE agent = ? AND ordinal < ?`, c.next.agents[name].id, oldest)
}

func (s *store) putMark(at stream, agentID int64, m mark) error {
	return s.exec(`INSERT INTO marks (agent, epoch, committed, ordinal) VALUES (?,?,?,?)
		ON CONFLICT (agent, epoch) DO UPDATE SET committed=excluded.committed`,
		agentID, int64(at.epoch), int64(m.committed), m.ordinal)
}

// rankedMarks numbers the marks of each agent from the newest on.
const rankedMarks = `SELECT *, row_number() OVER (PARTITION BY agent ORDER BY ordinal DESC) AS age FROM marks`

// pruneMarks deletes those of the oldest epochs if there are more than are ever kept: a program
// before this one kept them all.
func (s *store) pruneMarks() error {
	most, err := s.number(`SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM marks GROUP BY agent)`)
	if err != nil || most <= maxEpochs {
		return err
	}
	return s.exec(`DELETE FROM marks WHERE (agent, epoch) IN (SELECT agent, epoch FROM (`+rankedMarks+`) WHERE age > ?)`, maxEpochs)
}
