package fleet

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/pialert/pialert/pkg/broker"
	"github.com/pialert/pialert/pkg/pairing"
)

// Invitation is one agent that may pair.
type Invitation struct {
	Name    string              `json:"name"`
	Secret  []byte              `json:"secret"` // its SHA-256
	ID      broker.ID           `json:"id"`     // of the agent's credentials
	Expires time.Time           `json:"expires"`
	Used    pairing.Fingerprint `json:"used,omitzero"` // the key that redeemed it
}

// Errors of [Authority.Redeem].
var (
	ErrUnknown = errors.New("no such invitation")
	ErrLapsed  = errors.New("the invitation has lapsed")
	ErrUsed    = errors.New("the invitation was used by another machine")
)

// Invite invites agents by name, for so long, and returns what each of them has to be given, in the same order. An
// invitation of the same name that was not used yet is withdrawn.
func (a *Authority) Invite(display *pairing.Keyring, names []string, validity time.Duration, now time.Time) ([]broker.Enrolment, error) {
	unlock, err := a.dir.Lock(lockFile)
	if err != nil {
		return nil, err
	}
	defer unlock()
	all, err := a.invitations(now)
	if err != nil {
		return nil, err
	}
	issued, err := a.issued()
	if err != nil {
		return nil, err
	}
	invited := map[string]bool{}
	var made []broker.Enrolment
	for _, name := range names {
		if err := pairing.CheckName(name); err != nil {
			return nil, err
		}
		if invited[name] {
			return nil, fmt.Errorf("%s is named twice", name)
		}
		invited[name] = true
		credentials, id, err := a.agent(name)
		if err != nil {
			return nil, err
		}
		token := pairing.Token{Role: pairing.Display, Name: display.Name(), Key: display.Key()}
		rand.Read(token.Secret[:]) // never fails
		hash := sha256.Sum256(token.Secret[:])
		issued.Agents[name] = append(issued.Agents[name], id)
		all = append(all, Invitation{Name: name, Secret: hash[:], ID: id, Expires: now.Add(validity)})
		made = append(made, broker.Enrolment{Token: token.String(), Servers: a.Servers, Stream: a.Stream, CA: a.CA, Credentials: credentials})
	}
	if err := a.storeIssued(issued); err != nil {
		return nil, err
	}
	last := len(all) - len(names)
	kept := slices.DeleteFunc(all[:last:last], func(i Invitation) bool { return invited[i.Name] && i.Used.IsZero() })
	return made, a.store(append(kept, all[last:]...))
}

// Redeem returns the name that a secret was made for, and notes that a key used it. The same key may
// use it again, for its answer may have been lost.
func (a *Authority) Redeem(secret []byte, id broker.ID, key pairing.Fingerprint, now time.Time) (name string, err error) {
	unlock, err := a.dir.Lock(lockFile)
	if err != nil {
		return "", err
	}
	defer unlock()
	all, err := a.invitations(now)
	if err != nil {
		return "", err
	}
	hash := sha256.Sum256(secret)
	at := slices.IndexFunc(all, func(i Invitation) bool { return string(i.Secret) == string(hash[:]) })
	if at < 0 || all[at].ID != id {
		return "", ErrUnknown
	}
	switch found := &all[at]; {
	case found.Used == key:
		return found.Name, nil
	case !found.Used.IsZero():
		return "", ErrUsed
	case now.After(found.Expires):
		return "", ErrLapsed
	default:
		found.Used = key
		return found.Name, a.store(all)
	}
}

// Pending returns the invitations that can be used now.
func (a *Authority) Pending(now time.Time) ([]Invitation, error) {
	all, err := a.invitations(now)
	return slices.DeleteFunc(all, func(i Invitation) bool { return !i.Used.IsZero() || now.After(i.Expires) }), err
}

// forgetAfter is how long an invitation is remembered after it lapsed.
const forgetAfter = 24 * time.Hour

func (a *Authority) invitations(now time.Time) (all []Invitation, err error) {
	data, err := a.dir.Read(invitationsFile, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the fleet's invitations: %w", err)
	}
	return slices.DeleteFunc(all, func(i Invitation) bool { return now.Sub(i.Expires) > forgetAfter }), nil
}

func (a *Authority) store(all []Invitation) error { return a.write(invitationsFile, all) }
