package history

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// fillNames makes the lists of names of what is in a file that has none: of its events, and of networks, which
// earlier versions kept by the hour, also of events that are gone.
func (s *store) fillNames(now time.Time) error {
	if err := s.exec(`DELETE FROM lists WHERE what <> ?`, int64(machineNames)); err != nil {
		return err
	}
	kept, err := s.number(`SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'networks'`)
	if err != nil {
		return err
	}
	known := int64(0) // networks are known from elsewhere before this time
	if kept > 0 {
		if known, err = s.fillNetworks(); err != nil {
			return err
		}
		if err := s.exec(`DROP TABLE networks`); err != nil {
			return err
		}
	}
	if err := s.fillFromEvents(now, known); err != nil {
		return err
	}
	if err := s.loadListed(now.Location()); err != nil {
		return err
	}
	for what := networkNames; what < machineNames; what++ {
		err := s.mergeAll(what)
		if err == nil {
			err = s.sumUp(what, now)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fillNetworks takes over the networks of hours before the second of which there are events, since of the
// first some may be gone. It returns when that hour begins.
func (s *store) fillNetworks() (until int64, err error) {
	ctx := context.Background()
	first, err := s.number(`SELECT coalesce(min(arrived), 1 << 62)/1000000000 FROM (SELECT arrived FROM events WHERE sequence > 0 ORDER BY id LIMIT 1)`)
	if err != nil {
		return 0, err
	}
	// Hours of the zone that the file was written in begin where its rows say so.
	if until, err = s.number(`SELECT coalesce(min(hour), ?1) FROM networks WHERE hour > ?1`, first); err != nil {
		return 0, err
	}
	var starts []int64
	var start int64
	if err := s.each(ctx, `SELECT DISTINCT hour FROM networks WHERE hour < ?`, []any{&start}, func() { starts = append(starts, start) }, until); err != nil {
		return 0, err
	}
	for _, start := range starts {
		list := make(nameList)
		var name []byte
		var g group
		var sum Sum
		err := s.each(ctx, `SELECT network, agent, kind, events, attempts FROM networks WHERE hour = ?`,
			[]any{&name, &g.agent, &g.kind, &sum.Events, &sum.Attempts}, func() { list.of(g).addBytes(name, sum) }, start)
		if err != nil {
			return 0, err
		}
		list.cut(networkNames, s.listBytes)
		if err := s.putList(networkNames, hour, start, 0, list.append(nil)); err != nil {
			return 0, err
		}
	}
	return until, nil
}

// fillFromEvents makes the lists of minutes of the last two days, and those of hours before. Networks that
// are known before a time are left out.
func (s *store) fillFromEvents(now time.Time, networksKnown int64) error {
	zone, recent := now.Location(), startOf(now.Add(-minutesListed), hour)+hour
	var n naming
	var start, step, id, arrived, agentID, kind, count, test int64
	var source, user, detail []byte
	var failed error
	flush := func() {
		for at, lists := range n.minutes {
			for i, list := range lists {
				if len(list) == 0 || failed != nil {
					continue
				}
				list.cut(nameKind(i+1), s.listLong(step))
				failed = s.putList(nameKind(i+1), step, at, id, list.append(nil))
			}
		}
		n = naming{}
	}
	at, err := s.eachEvent("sources and users")
	if err != nil {
		return err
	}
	err = s.each(context.Background(), `SELECT id, arrived, agent, kind, count, test, source, user, detail FROM events
		WHERE sequence > 0 ORDER BY id`,
		[]any{&id, &arrived, &agentID, &kind, &count, &test, &source, &user, &detail}, func() {
			at(id)
			seconds := arrived / int64(time.Second)
			if seconds < start || seconds >= start+step { // so is the first one
				flush()
				if step = hour; seconds >= recent {
					step = minute
				}
				start = startOf(time.Unix(seconds, 0).In(zone), step)
				n.begin(start, 0)
			}
			ip, _ := netip.AddrFromSlice(source)
			known, _ := decodeDetail(detail)
			sum := sumOfOne(attack.StoredKind(kind), uint64(count), known)
			n.set(group{agentID, kind | test*testKind})
			n.address(ip, sum)
			n.text(string(user), known, sum)
			if seconds >= networksKnown {
				n.network(ip, sum)
			}
		})
	flush()
	return errors.Join(err, failed)
}

// mergeAll makes one part of several, of all hours: of those during which the clock was set back.
func (s *store) mergeAll(what nameKind) error {
	var starts []int64
	var start int64
	err := s.each(context.Background(), `SELECT start FROM lists WHERE what = ? AND step = ? GROUP BY start HAVING count(*) > 1 OR max(part) > 0`,
		[]any{&start}, func() { starts = append(starts, start) }, int64(what), int64(hour))
	for _, start := range starts {
		if err != nil {
			return err
		}
		err = s.mergeStep(what, hour, start)
	}
	return err
}
