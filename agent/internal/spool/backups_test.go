package spool

import (
	"maps"
	"os"
	"path/filepath"
)

func (d *delivery) copyTotals() bool {
	if d.copied != nil {
		return false
	}
	d.copied = &delivery{marks: maps.Clone(d.marks), counted: maps.Clone(d.counted)}
	return true
}

// restoreTotals has the history go back to its copy. What it counted since is gone there.
func (d *delivery) restoreTotals() bool {
	if d.copied == nil {
		return false
	}
	for line := range d.counted {
		if d.copied.counted[line] == 0 {
			d.exempt[line] = true
		}
	}
	for _, a := range d.queue {
		d.exempt[a.line] = true
	}
	d.marks, d.counted = maps.Clone(d.copied.marks), maps.Clone(d.copied.counted)
	d.queue, d.session, d.copied = nil, nil, nil
	return true
}

// damage cuts the last frame in half while the agent is down, as a disk does that lost what it had said
// was written: its line is read again and gets the same number.
func (d *delivery) damage() bool {
	if d.position() == 0 || len(d.s.segments) == 0 {
		return false
	}
	path := d.s.segments[len(d.s.segments)-1].path
	data, err := os.ReadFile(path)
	if err != nil {
		d.t.Fatal(err)
	}
	var last int
	_, salt, _ := parseSegmentName(filepath.Base(path))
	events := 0
	scan(data, salt, func(f *frame, offset, _ int) { last, events = offset, f.count })
	if events == 0 || last == 0 {
		return false
	}
	if err := os.Truncate(path, int64(last)+headerBytes+1); err != nil {
		d.t.Fatal(err)
	}
	d.reopen()
	return true
}

func (d *delivery) copySpool() bool {
	if d.saved != nil {
		return false
	}
	d.saved, d.savedAt = map[string]string{}, d.position()
	names, err := filepath.Glob(filepath.Join(d.dir, "*"+segmentSuffix))
	if err != nil {
		d.t.Fatal(err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			d.t.Fatal(err)
		}
		d.saved[name] = string(data)
	}
	return true
}

// restoreSpool puts an old copy in the spool's place, whole as it was. What the agent had read since is read
// again, and nobody can know whether it was delivered before.
func (d *delivery) restoreSpool() bool {
	if d.saved == nil || d.position() == d.savedAt {
		return false
	}
	for line := d.savedAt; line < d.position(); line++ {
		d.unknown[line] = true
	}
	names, _ := filepath.Glob(filepath.Join(d.dir, "*"+segmentSuffix))
	abandon(d.s)
	for _, name := range names {
		os.Remove(name)
	}
	for name, data := range d.saved {
		if err := os.WriteFile(name, []byte(data), 0o600); err != nil {
			d.t.Fatal(err)
		}
	}
	d.saved, d.session, d.stale = nil, nil, nil
	d.open()
	return true
}
