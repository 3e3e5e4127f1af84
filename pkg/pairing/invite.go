package pairing

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// InvitationLifetime is how long a token can be redeemed.
const InvitationLifetime = 10 * time.Minute

const (
	maxInvitations = 8  // pending at a time
	maxWrongTries  = 10 // wrong secrets until what is pending is withdrawn
)

// Errors of invitations.
var (
	ErrExpired   = errors.New("the token was not used within ten minutes")
	ErrWithdrawn = errors.New("the token was withdrawn, because wrong ones were tried too often")

	errNotPending = errors.New("the token was used before, has expired or was withdrawn")
)

// Invitations are the tokens that can be redeemed now. They live in memory only, as hashes: a
// program that ends withdraws them. The zero value has none and is ready to use; a nil
// *Invitations never has any. Safe for concurrent use.
type Invitations struct {
	mu      sync.Mutex
	pending []*Invitation
}

// Invitation is one token that waits to be redeemed.
type Invitation struct {
	Secret [SecretSize]byte

	from    *Invitations
	hash    [sha256.Size]byte
	expires time.Time // by the monotonic clock: setting the clock does not lengthen it
	wrong   int
	claimed bool // somebody is redeeming it
	done    chan struct{}
	peer    Peer  // who redeemed it, once done
	err     error // or why nobody did
}

// Invite makes an invitation that lasts for [InvitationLifetime], for whoever waits on it.
func (in *Invitations) Invite() (*Invitation, error) {
	invitation := &Invitation{from: in, expires: time.Now().Add(InvitationLifetime), done: make(chan struct{})}
	rand.Read(invitation.Secret[:]) // never fails
	invitation.hash = sha256.Sum256(invitation.Secret[:])
	in.mu.Lock()
	defer in.mu.Unlock()
	in.expire()
	if len(in.pending) >= maxInvitations {
		return nil, fmt.Errorf("%d invitations are pending already: let one be used, or wait ten minutes", maxInvitations)
	}
	in.pending = append(in.pending, invitation)
	return invitation, nil
}

// Find returns the pending invitation with that secret, for who made it.
func (in *Invitations) Find(secret [SecretSize]byte) (*Invitation, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.expire()
	for _, invitation := range in.pending {
		if subtle.ConstantTimeCompare(secret[:], invitation.Secret[:]) == 1 {
			return invitation, nil
		}
	}
	return nil, errNotPending
}

// Wait returns the peer that redeemed the invitation. The error is [ErrExpired], [ErrWithdrawn]
// or that of ctx, or says why the peer could not be stored; the invitation has ended then.
func (i *Invitation) Wait(ctx context.Context) (Peer, error) {
	timer := time.NewTimer(time.Until(i.expires))
	defer timer.Stop()
	select {
	case <-i.done:
	case <-timer.C:
		i.from.end(i, ErrExpired)
	case <-ctx.Done():
		i.from.end(i, context.Cause(ctx))
	}
	<-i.done
	return i.peer, i.err
}

// Withdraw ends the invitation unless it was redeemed before; who waits for it hears
// [context.Canceled].
func (i *Invitation) Withdraw() { i.from.end(i, context.Canceled) }

// Pending says whether any token can be redeemed now.
func (in *Invitations) Pending() bool {
	if in == nil {
		return false
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.expire()
	return len(in.pending) > 0
}

// claim finds the invitation with that secret and keeps it from all others until it is released
// or ended.
func (in *Invitations) claim(secret []byte) (*Invitation, error) {
	hash := sha256.Sum256(secret)
	in.mu.Lock()
	defer in.mu.Unlock()
	in.expire()
	var found *Invitation
	for _, invitation := range in.pending {
		if subtle.ConstantTimeCompare(hash[:], invitation.hash[:]) == 1 && !invitation.claimed {
			found = invitation
		}
	}
	if found != nil {
		found.claimed = true
		return found, nil
	}
	for _, invitation := range slices.Clone(in.pending) {
		if invitation.wrong++; invitation.wrong >= maxWrongTries {
			in.endLocked(invitation, ErrWithdrawn)
		}
	}
	return nil, errNotPending
}

// release gives up a claim: the token can be redeemed again.
func (in *Invitations) release(i *Invitation) {
	in.mu.Lock()
	defer in.mu.Unlock()
	i.claimed = false
}

// use takes a claimed invitation out of what is pending, for good. Its holder must finish it.
func (in *Invitations) use(i *Invitation) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.expire()
	at := slices.Index(in.pending, i)
	if at < 0 {
		return errNotPending
	}
	in.pending = slices.Delete(in.pending, at, at+1)
	return nil
}

// finish wakes who waits for an invitation that is no longer pending.
func (i *Invitation) finish(peer Peer, err error) {
	i.peer, i.err = peer, err
	close(i.done)
}

// end ends an invitation that nobody redeemed, if it is pending.
func (in *Invitations) end(i *Invitation, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.endLocked(i, err)
}

func (in *Invitations) endLocked(i *Invitation, err error) {
	if at := slices.Index(in.pending, i); at >= 0 {
		in.pending = slices.Delete(in.pending, at, at+1)
		i.finish(Peer{}, err)
	}
}

func (in *Invitations) expire() {
	for _, invitation := range slices.Clone(in.pending) {
		if time.Until(invitation.expires) <= 0 {
			in.endLocked(invitation, ErrExpired)
		}
	}
}
