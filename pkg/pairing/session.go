package pairing

import (
	"crypto/tls"
	"errors"
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
