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

const maxInvitations = 8 // pending at a time

// Errors of invitations.
var (
	ErrExpired     = errors.New("the token was not used within ten minutes")
	ErrRefusedHere = errors.New("who came with the token was refused, so the token works no longer")

	errNotPending = errors.New("the token was used before, has expired or was withdrawn")
	errNoAnswer   = errors.New("nobody there answered whether this machine is welcome")
	errRefused    = errors.New("the owner there did not want this machine")
)

// Invitations are the tokens that can be redeemed now. They live in memory only, as hashes: a
// program that ends withdraws them. Wrong secrets withdraw nothing: one has 128 bits, so nobody finds
// it by trying. The zero value has none and is ready to use; a nil *Invitations never has any. Safe for
// concurrent use.
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
	claimed bool      // somebody is redeeming it
	asks    bool      // the owner is asked before anybody is paired
	came    chan Candidate
	answers chan bool
	done    chan struct{}
	peer    Peer  // who redeemed it, once done
	err     error // or why nobody did
}

// Invite makes an invitation that lasts for [InvitationLifetime], for whoever waits on it.
func (in *Invitations) Invite() (*Invitation, error) {
	invitation := &Invitation{
		from: in, expires: time.Now().Add(InvitationLifetime), done: make(chan struct{}),
		came: make(chan Candidate), answers: make(chan bool),
	}
	rand.Read(invitation.Secret[:]) // never fails
	invitation.hash = sha256.Sum256(invitation.Secret[:])
	in.lock()
	defer in.mu.Unlock()
	if len(in.pending) >= maxInvitations {
		return nil, fmt.Errorf("%d invitations are pending already: let one be used, or wait ten minutes", maxInvitations)
	}
	in.pending = append(in.pending, invitation)
	return invitation, nil
}

// Find returns the pending invitation with that secret, for who made it.
func (in *Invitations) Find(secret [SecretSize]byte) (*Invitation, error) {
	in.lock()
	defer in.mu.Unlock()
	for _, invitation := range in.pending {
		if subtle.ConstantTimeCompare(secret[:], invitation.Secret[:]) == 1 {
			return invitation, nil
		}
	}
	return nil, errNotPending
}

// Wait returns the peer that redeemed the invitation. The error is [ErrExpired], [ErrRefusedHere] or
// that of ctx, or says why the peer could not be stored; the invitation has ended then.
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

// Candidate is who came with a token, before it is paired. It has proved that it holds its key.
type Candidate struct {
	Peer
	From string `json:"from"` // where it comes from
}

// AnswerTimeout is how long whoever came with a token waits for the owner's answer.
const AnswerTimeout = 2 * time.Minute

// Ask has whoever comes with the token wait until the owner has answered. It is called before the
// token is shown to anybody.
func (i *Invitation) Ask() { i.asks = true }

// Asked returns who came with the token and waits for an answer, once somebody does. The error is
// that with which the invitation ended, or ctx did.
func (i *Invitation) Asked(ctx context.Context) (Candidate, error) {
	select {
	case candidate := <-i.came:
		return candidate, nil
	case <-i.done:
		return Candidate{}, errors.Join(i.err, errNotPending)
	case <-ctx.Done():
		return Candidate{}, context.Cause(ctx)
	}
}

// Answer says whether the candidate that [Invitation.Asked] returned is welcome. One that is not ends
// the invitation: its token is in the wrong hands.
func (i *Invitation) Answer(ctx context.Context, welcome bool) error {
	select {
	case i.answers <- welcome:
		return nil
	case <-i.done:
		return errNotPending
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(AnswerTimeout): // nobody waits for it any more
		return errNotPending
	}
}

// approve asks the owner, if the owner wants to be asked.
func (i *Invitation) approve(ctx context.Context, candidate Candidate) error {
	if !i.asks {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, AnswerTimeout, errNoAnswer)
	defer cancel()
	select {
	case i.came <- candidate:
	case <-i.done:
		return errNotPending
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case welcome := <-i.answers:
		if !welcome {
			return errRefused
		}
		return nil
	case <-i.done:
		return errNotPending
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Pending says whether any token can be redeemed now.
func (in *Invitations) Pending() bool {
	if in == nil {
		return false
	}
	in.lock()
	defer in.mu.Unlock()
	return len(in.pending) > 0
}

// claim finds the invitation with that secret and keeps it from all others until it is released
// or ended.
func (in *Invitations) claim(secret []byte) (*Invitation, error) {
	hash := sha256.Sum256(secret)
	if in == nil {
		return nil, errNotPending
	}
	in.lock()
	defer in.mu.Unlock()
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
	return nil, errNotPending
}

// release gives up a claim: the token can be redeemed again.
func (in *Invitations) release(i *Invitation) {
	in.lock()
	defer in.mu.Unlock()
	i.claimed = false
}

// use takes a claimed invitation out of what is pending, for good. Its holder must finish it.
func (in *Invitations) use(i *Invitation) error {
	in.lock()
	defer in.mu.Unlock()
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
	in.drop(i, err)
}

// drop is [Invitations.end] for who holds the lock.
func (in *Invitations) drop(i *Invitation, err error) {
	if at := slices.Index(in.pending, i); at >= 0 {
		in.pending = slices.Delete(in.pending, at, at+1)
		i.finish(Peer{}, err)
	}
}

// lock takes the lock. What is pending then has not expired.
func (in *Invitations) lock() {
	in.mu.Lock()
	for _, invitation := range slices.Clone(in.pending) {
		if time.Until(invitation.expires) <= 0 {
			in.drop(invitation, ErrExpired)
		}
	}
}
