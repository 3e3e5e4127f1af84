package pairing

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/pialert/pialert/pkg/escape"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// Errors of [Keyring.Join].
var (
	// ErrNoInvitation: the machine is the right one, but the token's invitation is not pending there.
	ErrNoInvitation = errors.New("no token can be redeemed there now: it was used, or its ten minutes are over")
	// ErrJoinRefused is wrapped by refusals, which say why and what to do.
	ErrJoinRefused = errors.New("the other end refuses to pair")
)

// Join redeems a token over conn, which it owns, and pairs this machine with the token's, to be
// dialled at addresses. Ctx bounds it.
//
// The dialling end stores first, the listening end when it is told so, and the dialling end
// takes its storing back unless it is told that the listening end has stored too. If only that
// last message is lost, or the dialling end is killed before it comes, one end knows a peer that
// does not know it. That lets nobody in, and joining with a new token repairs it.
//
// Reached is called when the token's machine has answered. From then on its owner may be asked, which
// takes up to [AnswerTimeout].
func (k *Keyring) Join(ctx context.Context, conn net.Conn, token Token, addresses []string, reached func()) (Peer, error) {
	if err := k.CheckToken(token); err != nil {
		return Peer{}, errors.Join(err, conn.Close())
	}
	peer := Peer{Name: token.Name, Role: token.Role, Key: token.Key, Addresses: addresses, Paired: time.Now().UTC().Truncate(time.Second)}
	state := k.snapshot()
	secure := state.client(conn, protocolJoin, token.Key)
	return peer, within(ctx, conn, func() error {
		if err := secure.HandshakeContext(ctx); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) && ctx.Err() == nil {
				return ErrNoInvitation
			}
			return err
		}
		defer secure.Close()
		reached()
		return k.redeem(secure, token, peer)
	})
}

// CheckToken returns why this machine cannot redeem a token anywhere, or nil.
func (k *Keyring) CheckToken(token Token) error {
	switch {
	case token.Role == k.role:
		return fmt.Errorf("the token is from %s %s, and this is one too: redeem it with pialert-%s",
			article(k.role), k.role, k.role.Other())
	case token.Key == k.Key():
		return errors.New("the token is this machine's own: redeem it on the other one")
	}
	return nil
}

// redeem is the dialling end of the exchange.
func (k *Keyring) redeem(conn io.ReadWriter, token Token, peer Peer) error {
	request := &pialertv1.JoinRequest{Secret: token.Secret[:], Name: k.name, Role: k.role.proto()}
	var reply pialertv1.JoinReply
	if err := errors.Join(send(conn, request), receive(conn, &reply)); err != nil {
		return err
	}
	if reply.GetUnknownToken() {
		return ErrNoInvitation
	}
	if reply.GetRefusal() != "" {
		return fmt.Errorf("%w: %s", ErrJoinRefused, escape.Text(reply.GetRefusal()))
	}
	if reply.GetName() != token.Name {
		return fmt.Errorf("the token is from %s, but %q answers", token.Name, reply.GetName())
	}
	_, err := k.Peer(peer.Name)
	isNew := errors.Is(err, ErrNotPaired)
	if err := k.Add(peer); err != nil {
		return k.whatToDo(err, peer.Name)
	}
	var done pialertv1.JoinDone
	err = errors.Join(send(conn, &pialertv1.JoinConfirm{}), receive(conn, &done))
	if err == nil && done.GetRefusal() != "" {
		err = fmt.Errorf("%w: %s", ErrJoinRefused, escape.Text(done.GetRefusal()))
	}
	if err != nil && isNew {
		_, undo := k.Remove(peer.Name)
		err = errors.Join(err, undo)
	}
	return err
}

// serveJoin is the listening end of the exchange.
func (k *Keyring) serveJoin(ctx context.Context, conn *tls.Conn, invitations *Invitations, trusted func()) (*Peer, error) {
	key, err := remoteKey(conn.ConnectionState())
	if err != nil {
		return nil, err
	}
	var request pialertv1.JoinRequest
	if err := receive(conn, &request); err != nil {
		return nil, err
	}
	invitation, err := invitations.claim(request.GetSecret())
	if err != nil {
		return nil, errors.Join(err, send(conn, &pialertv1.JoinReply{Refusal: err.Error(), UnknownToken: true}))
	}
	trusted()
	peer := Peer{Name: request.GetName(), Role: roleOf(request.GetRole()), Key: key, Paired: time.Now().UTC().Truncate(time.Second)}
	ask := func() error { return invitation.approve(ctx, Candidate{peer, conn.RemoteAddr().String()}) }
	if err := k.prepare(conn, peer, ask); err != nil {
		if errors.Is(err, errRefused) { // and was told so
			invitations.end(invitation, ErrRefusedHere)
		}
		invitations.release(invitation)
		return nil, err
	}
	if err := invitations.use(invitation); err != nil {
		return nil, errors.Join(err, send(conn, &pialertv1.JoinDone{Refusal: err.Error()}))
	}
	err = k.Add(peer)
	invitation.finish(peer, err)
	if err != nil {
		return nil, errors.Join(err, send(conn, &pialertv1.JoinDone{Refusal: err.Error()}))
	}
	send(conn, &pialertv1.JoinDone{}) // it is paired, whether or not it hears so
	return &peer, nil
}

// prepare grants the request of a peer that holds a token, if the owner agrees, and waits until the
// peer has stored this machine.
func (k *Keyring) prepare(conn io.ReadWriter, peer Peer, ask func() error) error {
	if err := k.admissible(peer); err != nil {
		err = k.whatToDo(err, peer.Name)
		return errors.Join(err, send(conn, &pialertv1.JoinReply{Refusal: err.Error()}))
	}
	if err := ask(); err != nil {
		return errors.Join(err, send(conn, &pialertv1.JoinReply{Refusal: err.Error()}))
	}
	var confirm pialertv1.JoinConfirm
	return errors.Join(send(conn, &pialertv1.JoinReply{Name: k.name}), receive(conn, &confirm))
}

// whatToDo adds to the error of a collision how it is resolved.
func (k *Keyring) whatToDo(err error, name string) error {
	switch {
	case errors.Is(err, ErrNameTaken):
		return fmt.Errorf("%s %s already knows another machine as %s: run sudo pialert-%s unpair %s there if that one is gone, or give one of them another name",
			k.role, k.name, name, k.role, name)
	case errors.Is(err, ErrKeyTaken):
		return fmt.Errorf("%s %s: %w: run sudo pialert-%s unpair there first to pair it under the name %s", k.role, k.name, err, k.role, name)
	case errors.Is(err, ErrTooMany):
		return fmt.Errorf("%s %s has %d peers already: unpair one with sudo pialert-%s unpair NAME", k.role, k.name, MaxPeers, k.role)
	}
	return err
}
