package pairing

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// ErrRefused is returned at the end that dials when the other end does not take its key.
var ErrRefused = errors.New("the other end refuses this machine's key: it is not paired there, or no longer")

// Session is an open connection between paired machines. Both have proved their keys and have
// greeted each other.
type Session struct {
	*tls.Conn
	Peer Peer // as it was when the session opened

	own, theirs Fingerprint
}

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

// ErrRekey is why a session has to be opened anew during a change of keys.
var ErrRekey = errors.New("a change of keys needs a new connection")

// Check returns why a session may not stay open, or nil: [ErrNotPaired] if the peer is no longer
// paired with the key that it showed, and [ErrRekey] if there is a key to tell it of. Such a
// session is to be closed; in the second case the end that dials opens the next one.
func (k *Keyring) Check(s *Session) error {
	state := k.snapshot()
	at := state.byName(s.Peer.Name)
	switch {
	case at < 0 || state.byKey(s.theirs) != at:
		return ErrNotPaired
	case s.own != state.own.fingerprint:
		return ErrRekey
	case state.next != nil && state.peers[at].Knows != state.nextKey():
		return ErrRekey
	}
	return nil
}

// within runs a handshake on conn, which is closed when ctx ends or the handshake fails.
func within(ctx context.Context, conn net.Conn, handshake func() error) error {
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	err := handshake()
	if !stop() || err != nil {
		conn.Close()
		if ctx.Err() != nil {
			return fmt.Errorf("cannot finish the handshake in time: %w", context.Cause(ctx))
		}
		return err
	}
	conn.SetDeadline(time.Time{}) // fails if the handshake has closed conn, which is its right
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
