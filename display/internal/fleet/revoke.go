package fleet

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/pialert/pialert/pkg/broker"
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

// Adopt revokes what a configuration of the fleet's servers says is revoked, and this authority does not know of: another
// display, which has a copy of its keys, wrote it. What is no configuration of this fleet says nothing.
func (a *Authority) Adopt(configuration []byte) error {
	signer, err := nkeys.FromSeed([]byte(a.keys.Operator))
	if err != nil {
		return err
	}
	operator, err := signer.PublicKey()
	if err != nil {
		return err
	}
	unlock, err := a.dir.Lock(lockFile)
	if err != nil {
		return err
	}
	defer unlock()
	made, err := a.issued()
	if err != nil {
		return err
	}
	known := len(made.Revoked)
	accountToken := regexp.MustCompile(`(?m)^  A[A-Z2-7]{55}: (\S+)$`) // as [Authority.Server] writes it
	for _, found := range accountToken.FindAllSubmatch(configuration, -1) {
		account, err := jwt.DecodeAccountClaims(string(found[1])) // which checks the signature
		if err != nil || account.Issuer != operator {
			continue
		}
		for id, at := range account.Revocations {
			if _, is := made.Revoked[broker.ID(id)]; !is {
				made.Revoked[broker.ID(id)] = time.Unix(at, 0)
			}
		}
	}
	if len(made.Revoked) == known {
		return nil
	}
	return a.storeIssued(made)
}
