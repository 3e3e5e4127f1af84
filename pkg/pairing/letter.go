package pairing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/pialert/pialert/pkg/escape"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// Where no connection between the two machines can be had, a token is redeemed by two sealed letters:
// a request to the token's key, and its answer. The end that invited stores first, and answers the
// same request of the same key as often as it comes until the invitation has ended, so that an answer
// that is lost is asked for again.

// JoinLetter is a request to redeem a token, from whoever holds its peer's key.
type JoinLetter struct {
	Secret []byte
	Peer   Peer
}

// WriteJoin returns the sealed request that redeems a token of the holder of key, for a use.
func (k *Keyring) WriteJoin(token Token, key PublicKey, use string) ([]byte, error) {
	if err := k.CheckToken(token); err != nil {
		return nil, err
	}
	if key.Fingerprint() != token.Key {
		return nil, fmt.Errorf("%w: %s", ErrWrongKey, key.Fingerprint())
	}
	raw, err := proto.Marshal(&pialertv1.JoinRequest{Secret: token.Secret[:], Name: k.name, Role: k.role.proto()})
	if err != nil {
		return nil, err
	}
	return k.Seal(key, use, raw)
}

// ReadJoin opens a request.
func (k *Keyring) ReadJoin(use string, sealed []byte) (JoinLetter, error) {
	from, raw, err := k.Unseal(use, sealed)
	if err != nil {
		return JoinLetter{}, err
	}
	var request pialertv1.JoinRequest
	if err := proto.Unmarshal(raw, &request); err != nil {
		return JoinLetter{}, err
	}
	return JoinLetter{Secret: request.GetSecret(), Peer: Peer{
		Name: request.GetName(), Role: roleOf(request.GetRole()), Key: from.Fingerprint(), Public: from,
		Paired: time.Now().UTC().Truncate(time.Second),
	}}, nil
}

// AcceptJoin pairs with who wrote a letter, if its secret is that of a pending invitation. From is
// where it comes from, for the owner's eyes.
func (k *Keyring) AcceptJoin(ctx context.Context, invitations *Invitations, letter JoinLetter, from string) error {
	invitation, err := invitations.claim(letter.Secret)
	if err != nil {
		return err
	}
	err = k.Welcomes(letter.Peer)
	if err == nil {
		err = invitation.approve(ctx, Candidate{letter.Peer, from})
	}
	if err != nil {
		if errors.Is(err, errRefused) {
			invitations.end(invitation, ErrRefusedHere)
		}
		invitations.release(invitation)
		return err
	}
	if err := invitations.use(invitation); err != nil {
		return err
	}
	err = k.Add(letter.Peer)
	invitation.finish(letter.Peer, err)
	return err
}

// Welcomes returns why [Keyring.Add] would refuse a peer, and what to do, or nil.
func (k *Keyring) Welcomes(peer Peer) error { return k.whatToDo(k.admissible(peer), peer.Name) }

// IsNotPending says whether a letter was refused since its secret is that of no pending invitation.
func IsNotPending(err error) bool { return errors.Is(err, errNotPending) }

// AnswerJoin returns the sealed answer to a letter, given why it was refused, or nil.
func (k *Keyring) AnswerJoin(letter JoinLetter, refusal error, use string) ([]byte, error) {
	reply := &pialertv1.JoinReply{Name: k.name}
	if refusal != nil {
		reply = &pialertv1.JoinReply{Refusal: refusal.Error(), UnknownToken: IsNotPending(refusal)}
	}
	raw, err := proto.Marshal(reply)
	if err != nil {
		return nil, err
	}
	return k.Seal(letter.Peer.Public, use, raw)
}

// FinishJoin takes the answer to a request, and pairs with the holder of the token's key if that was
// granted.
func (k *Keyring) FinishJoin(token Token, answer []byte, use string) (Peer, error) {
	from, raw, err := k.Unseal(use, answer)
	if err != nil {
		return Peer{}, err
	}
	var reply pialertv1.JoinReply
	if err := proto.Unmarshal(raw, &reply); err != nil {
		return Peer{}, err
	}
	switch {
	case from.Fingerprint() != token.Key:
		return Peer{}, fmt.Errorf("%w: %s", ErrWrongKey, from.Fingerprint())
	case reply.GetUnknownToken():
		return Peer{}, ErrNoInvitation
	case reply.GetRefusal() != "":
		return Peer{}, fmt.Errorf("%w: %s", ErrJoinRefused, escape.Text(reply.GetRefusal()))
	case reply.GetName() != token.Name:
		return Peer{}, fmt.Errorf("the token is from %s, but %q answers", token.Name, reply.GetName())
	}
	peer := Peer{Name: token.Name, Role: token.Role, Key: token.Key, Public: from, Paired: time.Now().UTC().Truncate(time.Second)}
	if err := k.Add(peer); err != nil {
		return Peer{}, k.whatToDo(err, peer.Name)
	}
	return peer, k.Learn(from) // of a peer that was paired another way before
}
