package history

import (
	"context"

	"github.com/pialert/pialert/pkg/attack"
)

// nameKinds gives the kinds that an older program stored as unknown the numbers that this one
// knows them by.
func (s *store) nameKinds() error {
	var stored int64
	var renamed []int64
	err := s.each(context.Background(), `SELECT DISTINCT kind FROM totals`, []any{&stored}, func() {
		if kind := attack.StoredKind(stored); kind.Valid() && int64(kind) != stored {
			renamed = append(renamed, stored)
		}
	})
	if err != nil || len(renamed) == 0 {
		return err
	}
	return s.transaction(func() error {
		for _, old := range renamed {
			if err := s.nameKind(old, int64(attack.StoredKind(old))); err != nil {
				return err
			}
		}
		return nil
	})
}

// byKind are the tables that count by kind, with what else they count by.
var byKind = map[string]string{
	"totals": "day, agent, test",
	"named":  "start, agent, host, key",
}

func (s *store) nameKind(old, now int64) error {
	for table, keys := range byKind {
		err := s.exec(`INSERT INTO `+table+` (`+keys+`, kind, events, attempts)
			SELECT `+keys+`, ?2, events, attempts FROM `+table+` WHERE kind = ?1
			ON CONFLICT DO UPDATE SET events=min(events+excluded.events,?3), attempts=min(attempts+excluded.attempts,?3)`,
			old, now, int64(maxDay))
		if err == nil {
			err = s.exec(`DELETE FROM `+table+` WHERE kind = ?`, old)
		}
		if err != nil {
			return err
		}
	}
	if err := s.renameKind(old, now); err != nil {
		return err
	}
	return s.exec(`UPDATE events SET kind = ?2 WHERE kind = ?1`, old, now)
}
