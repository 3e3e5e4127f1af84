package file

import (
	"bytes"
	"errors"
	"os"
	"slices"

	"github.com/pialert/pialert/agent/internal/source"
)

// reads reports whether the follower has the file open, or is going to. What it has not open may be gone, and another
// file have its identity.
func (f *follower) reads(id fileID) bool {
	there := func(name string) bool {
		info, err := os.Stat(name)
		return err == nil && identify(info) == id
	}
	return slices.ContainsFunc(f.generations, func(g *generation) bool {
		return g.fileID == id && (g.file != nil || g.parked && there(g.name))
	}) || slices.ContainsFunc(f.waiting, func(c candidate) bool { return c.fileID == id && there(c.name) })
}

// open reports whether the follower has any file to read.
func (f *follower) open() bool {
	return len(f.waiting) > 0 || slices.ContainsFunc(f.generations, func(g *generation) bool { return g.file != nil || g.parked })
}

// close closes all files.
func (f *follower) close() {
	for _, g := range f.generations {
		g.forget()
	}
}

// snapshot returns the follower's numbers; more says that lines are waiting.
func (f *follower) snapshot(more bool) source.Stats {
	stats := f.stats
	stats.Name, stats.Source = f.name, f.path
	if last := len(f.generations) - 1; last >= 0 {
		stats.Offset = f.generations[last].Offset
	}
	stats.Backlog = f.backlog()
	switch {
	case errors.Is(f.problem, errDuplicate):
		stats.State = source.Duplicate
	case f.problem != nil:
		stats.State, stats.Error = source.Failing, f.problem.Error()
	case !f.open():
		stats.State = source.Waiting
	case more, stats.Backlog != nil:
		stats.State = source.CatchingUp
	default:
		stats.State = source.Following
	}
	return stats
}

func countLines(lines []byte) int {
	return bytes.Count(lines, []byte{'\n'})
}
