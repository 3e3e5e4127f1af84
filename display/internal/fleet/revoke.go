package fleet

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrNotIssued says that no credentials were made for a name.
var ErrNotIssued = errors.New("no credentials were made here for an agent of that name")

// Remove revokes every credential that was made for an agent, and withdraws its invitations. It returns how many
// credentials that were. The servers know of it when they have read what [Authority.Server] returns then.
func (a *Authority) Remove(name string, now time.Time) (int, error) {
	unlock, err := a.dir.Lock(lockFile)
	if err != nil {
		return 0, err
	}
	defer unlock()
	all, err := a.invitations(now)
	if err != nil {
		return 0, err
	}
	made, err := a.issued()
	if err != nil {
		return 0, err
	}
	theirs := made.Agents[name]
	for _, one := range all {
		if one.Name == name && !slices.Contains(theirs, one.ID) {
			theirs = append(theirs, one.ID)
		}
	}
	if len(theirs) == 0 {
		return 0, fmt.Errorf("%s: %w", name, ErrNotIssued)
	}
	for _, id := range theirs {
		made.Revoked[id] = now
	}
	delete(made.Agents, name)
	if err := a.storeIssued(made); err != nil {
		return 0, err
	}
	return len(theirs), a.store(slices.DeleteFunc(all, func(i Invitation) bool { return i.Name == name }))
}
