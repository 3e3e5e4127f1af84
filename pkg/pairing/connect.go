package pairing

import (
	"context"
	"errors"
	"fmt"
	"net"
)

// Connect opens a session as the dialling end, over conn, with the peer of that name. It owns
// conn from then on. Ctx bounds the handshake only. The error is [ErrWrongKey] if another
// machine answers and [ErrRefused] if the peer does not take this machine's key.
func (k *Keyring) Connect(ctx context.Context, conn net.Conn, peer string) (*Session, error) {
	state := k.snapshot()
	at := state.byName(peer)
	if at < 0 {
		return nil, errors.Join(fmt.Errorf("%q: %w", peer, ErrNotPaired), conn.Close())
	}
	known := state.peers[at]
	s := &Session{
		Conn: state.client(conn, protocolDeliver, known.Key, known.NextKey),
		own:  state.own.fingerprint,
	}
	err := within(ctx, conn, func() error {
		if err := s.HandshakeContext(ctx); err != nil {
			return err
		}
		return k.greet(s, speakFirst)
	})
	if err != nil {
		return nil, refusal(err)
	}
	return s, nil
}

// Accept takes a connection as the listening end, and owns it from then on. With the protocol
// of paired machines it returns a session. With a token it redeems that, closes conn and
// returns the peer that joined. Ctx bounds all of it. An error says what the other end did or
// lacks, as in "its key is not paired".
//
// Trusted is called when the other end has shown a valid token. It is no stranger from then on, and may
// wait for the owner's answer for up to [AnswerTimeout], so a bound for strangers is to be lifted.
func (k *Keyring) Accept(ctx context.Context, conn net.Conn, invitations *Invitations, trusted func()) (s *Session, joined *Peer, err error) {
	secure, gate := k.server(conn)
	err = within(ctx, conn, func() error {
		if err := secure.HandshakeContext(ctx); err != nil {
			return err
		}
		if secure.ConnectionState().NegotiatedProtocol == protocolJoin {
			joined, err = k.serveJoin(ctx, secure, invitations, trusted)
			return errors.Join(err, secure.Close())
		}
		s = &Session{Conn: secure, own: gate.own}
		return k.greet(s, answerFirst)
	})
	if err != nil {
		return nil, nil, err
	}
	return s, joined, nil
}

// within runs a handshake on conn, which is closed when ctx ends or the handshake fails.
func within(ctx context.Context, conn net.Conn, handshake func() error) error {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	err := handshake()
	if !stop() || err != nil {
		conn.Close()
		if ctx.Err() != nil {
			return fmt.Errorf("cannot finish the handshake in time: %w", context.Cause(ctx))
		}
		return err
	}
	return nil
}

// refusal returns ErrRefused for the alert by which the other end refuses a certificate.
func refusal(err error) error {
	var remote *net.OpError
	if errors.As(err, &remote) && remote.Op == "remote error" {
		return fmt.Errorf("%w (%v)", ErrRefused, remote.Err)
	}
	return err
}
