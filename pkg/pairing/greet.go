package pairing

import (
	"errors"
	"fmt"

	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// greet finds out which peer is at the other end of s and tells it this machine's next key, by
// one of the two halves of the exchange.
func (k *Keyring) greet(s *Session, exchange func(*Session, Fingerprint, func(next []byte) error) (stored []byte, err error)) error {
	key, err := remoteKey(s.ConnectionState())
	if err != nil {
		return err
	}
	s.theirs = key
	next := k.announced(s)
	stored, err := exchange(s, next, func(next []byte) error { return k.learn(key, next) })
	if err != nil {
		return err
	}
	if !next.IsZero() && string(stored) == string(next[:]) {
		if err := k.storeKnows(key, next); err != nil {
			return err
		}
	}
	state := k.snapshot()
	at := state.byKey(key)
	if at < 0 {
		return ErrNotPaired
	}
	s.Peer = state.peers[at]
	return nil
}

// speakFirst is the dialling end's half: one end has to begin, so that the two never wait for
// each other to read.
func speakFirst(s *Session, next Fingerprint, learn func([]byte) error) (stored []byte, err error) {
	sent := send(s, &pialertv1.Greeting{NextKey: next.bytes()})
	var theirs pialertv1.Greeting
	if err := receive(s, &theirs); err != nil {
		return nil, err // which tells why sending failed, if it did
	}
	if err := errors.Join(sent, learn(theirs.GetNextKey())); err != nil {
		return nil, err
	}
	return theirs.GetStoredKey(), send(s, &pialertv1.Greeting{StoredKey: theirs.GetNextKey()})
}

// answerFirst is the listening end's half.
func answerFirst(s *Session, next Fingerprint, learn func([]byte) error) (stored []byte, err error) {
	var first, last pialertv1.Greeting
	if err := receive(s, &first); err != nil {
		return nil, err
	}
	if err := learn(first.GetNextKey()); err != nil {
		return nil, err
	}
	err = send(s, &pialertv1.Greeting{NextKey: next.bytes(), StoredKey: first.GetNextKey()})
	if err != nil {
		return nil, err
	}
	err = receive(s, &last)
	return last.GetStoredKey(), err
}

// announced returns the key that the other end of s is to be told of: the next one, or the
// present one if it has replaced the one that s was opened with in the meantime.
func (k *Keyring) announced(s *Session) Fingerprint {
	state := k.snapshot()
	if state.own.fingerprint != s.own {
		return state.own.fingerprint
	}
	return state.nextKey()
}

// learn takes in what a greeting says of the peer's keys: the one that it used, which retires
// a former one, and the one that it is about to change to. It writes only what is new.
func (k *Keyring) learn(key Fingerprint, next []byte) error {
	announced, err := parseNext(next)
	if err != nil {
		return err
	}
	state := k.snapshot()
	at := state.byKey(key)
	if at < 0 {
		return ErrNotPaired
	}
	if peer := state.peers[at]; peer.Key == key && (announced.IsZero() || peer.NextKey == announced) {
		return nil
	}
	return k.update(func(state *keys) error { return state.setPeerKeys(key, announced) })
}

// parseNext reads the fingerprint in a greeting; the zero one stands for none.
func parseNext(raw []byte) (next Fingerprint, err error) {
	if len(raw) != 0 && len(raw) != len(next) {
		return next, fmt.Errorf("its next key has %d bytes", len(raw))
	}
	copy(next[:], raw)
	return next, nil
}

func (f Fingerprint) bytes() []byte {
	if f.IsZero() {
		return nil
	}
	return f[:]
}
