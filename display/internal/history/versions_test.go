package history_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/pkg/attack"
)

// A kind that only newer agents knew has its name after an upgrade, and one total with what was
// counted under its name.
func TestAnUnknownKindIsNamedAfterAnUpgrade(t *testing.T) {
	t.Parallel()
	path := file(t)
	h := start(t, options(path))
	known := event(1)
	known.Kind, known.Count = attack.PortProbe, 2
	h.commit(batch{agent: "vps", epoch: 1, first: 1, events: []attack.Event{known, known, known}})
	h.stop()
	edit(t, path, `DROP TABLE lists; PRAGMA user_version = 3`)
	// As a program that does not know port_probe has stored two of the three, which it counted.
	stored := 1<<24 | int64(attack.FamilyOther)<<16 | int64(attack.PortProbe)
	edit(t, path, fmt.Sprintf(`UPDATE events SET kind = %d WHERE sequence < 3`, stored))
	edit(t, path, fmt.Sprintf(`INSERT INTO totals SELECT day, agent, %d, test, 2, 4 FROM totals`, stored))
	edit(t, path, fmt.Sprintf(`UPDATE totals SET events = 1, attempts = 2 WHERE kind = %d`, attack.PortProbe))

	h = start(t, options(path))
	want := history.Total{Agent: "vps", Kind: attack.PortProbe, Sum: history.Sum{Events: 3, Attempts: 6}}
	if totals := h.totals(); len(totals) != 1 || totals[0] != want {
		t.Errorf("the totals are %+v, want %+v", totals, want)
	}
	records, err := h.Recent(t.Context(), 10, history.Filter{Kind: attack.PortProbe})
	if err != nil || len(records) != 3 {
		t.Errorf("%d events are found by their name, error %v", len(records), err)
	}
	ranking, err := h.Rank(t.Context(), history.Kinds, history.Filter{User: "root"}, 10)
	if want := []history.Tally{{Name: "port_probe", Attempts: 6}}; err != nil || !slices.Equal(ranking.Names, want) {
		t.Errorf("the kinds of a user are %v, want %v, error %v", ranking, want, err)
	}
	on, err := h.TotalsOn(t.Context(), noon)
	if err != nil || len(on) != 1 || on[0] != want {
		t.Errorf("the totals of the day are %+v, error %v", on, err)
	}
}

// Who waits for an upgrade hears how far it is, up to the end; a file that needs none tells nothing.
func TestAnUpgradeTellsHowFarItIs(t *testing.T) {
	t.Parallel()
	path := file(t)
	h := start(t, options(path))
	const many = 10_000
	h.commit(batch{agent: "vps", epoch: 1, first: 1, events: events(many)})
	var copied bytes.Buffer
	backUp := func() {
		copied.Reset()
		if err := h.Backup(t.Context(), func(int64) error { return nil }, &copied); err != nil {
			t.Fatal(err)
		}
	}
	h.stop()
	type news struct {
		of          string
		events, all int64
	}
	var heard []news
	o := options(path)
	o.Progress = func(of string, events, all int64) { heard = append(heard, news{of, events, all}) }
	want := []news{
		{"sources and users", 4096, many}, {"sources and users", 8192, many}, {"sources and users", many, many},
		{"agents and kinds", 4096, many}, {"agents and kinds", 8192, many}, {"agents and kinds", many, many},
	}
	older := `DROP TABLE lists; DROP TABLE stored; PRAGMA user_version = 3`
	edit(t, path, older)
	h = start(t, o)
	if !slices.Equal(heard, want) {
		t.Errorf("the upgrade told %v, want %v", heard, want)
	}
	heard = nil
	h.stop()
	h = start(t, o)
	if len(heard) > 0 {
		t.Errorf("a new start told %v", heard)
	}
	edit(t, path, older)
	backUp()
	if _, err := history.Restore(file(t), &copied, noon, o.Progress); err != nil || !slices.Equal(heard, want) {
		t.Errorf("to restore an older file told %v, error %v", heard, err)
	}
}

// A file that was made before events had machines takes and gives them.
func TestAFileWithoutMachines(t *testing.T) {
	t.Parallel()
	path := file(t)
	h := start(t, options(path))
	h.commit(batch{agent: "vps", epoch: 1, first: 1, events: events(2)})
	h.stop()
	edit(t, path, `ALTER TABLE events DROP COLUMN machine; DROP TABLE lists; DROP TABLE stored; PRAGMA user_version = 2`)
	h = start(t, options(path))
	e := event(1)
	e.Host = "router"
	h.commit(batch{agent: "vps", epoch: 1, first: 3, events: []attack.Event{e}})
	records, err := h.Recent(t.Context(), 10, history.Filter{})
	if err != nil || len(records) != 3 || records[0].Event.Host != "router" || records[2].Event.Host != "" {
		t.Errorf("%+v, error %v", records, err)
	}
}

// What a damaged file of that form has is carried over.
func TestADamagedFileWithoutMachines(t *testing.T) {
	t.Parallel()
	path := file(t)
	h := start(t, options(path))
	h.commit(batch{agent: "vps", epoch: 1, first: 1, events: events(2)})
	h.stop()
	edit(t, path, `ALTER TABLE events DROP COLUMN machine; DROP TABLE marks; DROP TABLE lists; DROP TABLE stored; PRAGMA user_version = 3`)
	h = start(t, options(path))
	records, err := h.Recent(t.Context(), 10, history.Filter{})
	if err != nil || len(records) != 2 {
		t.Errorf("%+v, error %v", records, err)
	}
}

// What unknown kinds' sources tried is among the top sources, as far as it counts as attempts.
func TestTopSourcesOfUnknownKinds(t *testing.T) {
	t.Parallel()
	h := start(t, options(file(t)))
	counted, other := event(1), event(2)
	counted.Kind = attack.UnknownKind(300, attack.FamilySSH, true)
	other.Kind = attack.UnknownKind(301, attack.FamilySSH, false)
	h.commit(batch{agent: "vps", epoch: 1, first: 1, events: []attack.Event{counted, other}})
	sources, err := h.TopSources(t.Context(), history.Filter{}, 10)
	if err != nil || len(sources) != 1 || sources[0].Prefix.Addr() != counted.SourceIP {
		t.Errorf("the sources are %+v, error %v", sources, err)
	}
}
