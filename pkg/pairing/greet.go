package pairing

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"

	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// greet finds out which peer is at the other end of s and tells it this machine's next key, by
// one of the two halves of the exchange.
func (k *Keyring) greet(s *Session, exchange func(*Session, announcement, func(*pialertv1.Greeting) error) (stored []byte, err error)) error {
	key, err := remoteKey(s.ConnectionState())
	if err != nil {
		return err
	}
	s.theirs = key
	next := k.announced(s)
	stored, err := exchange(s, next, func(g *pialertv1.Greeting) error { return k.learn(key, g.GetNextKey(), g.GetNextProof()) })
	if err != nil {
		return err
	}
	if !next.key.IsZero() && string(stored) == string(next.key[:]) {
		if err := k.storeKnows(key, next.key); err != nil {
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
func speakFirst(s *Session, next announcement, learn func(*pialertv1.Greeting) error) (stored []byte, err error) {
	sent := send(s, &pialertv1.Greeting{NextKey: next.key.bytes(), NextProof: next.proof})
	var theirs pialertv1.Greeting
	if err := receive(s, &theirs); err != nil {
		return nil, err // which tells why sending failed, if it did
	}
	if err := errors.Join(sent, learn(&theirs)); err != nil {
		return nil, err
	}
	return theirs.GetStoredKey(), send(s, &pialertv1.Greeting{StoredKey: theirs.GetNextKey()})
}

// answerFirst is the listening end's half.
func answerFirst(s *Session, next announcement, learn func(*pialertv1.Greeting) error) (stored []byte, err error) {
	var first, last pialertv1.Greeting
	if err := receive(s, &first); err != nil {
		return nil, err
	}
	if err := learn(&first); err != nil {
		return nil, err
	}
	err = send(s, &pialertv1.Greeting{NextKey: next.key.bytes(), NextProof: next.proof, StoredKey: first.GetNextKey()})
	if err != nil {
		return nil, err
	}
	err = receive(s, &last)
	return last.GetStoredKey(), err
}

// announced returns the key that the other end of s is to be told of: the next one, or the
// present one if it has replaced the one that s was opened with in the meantime.
func (k *Keyring) announced(s *Session) announcement {
	state := k.snapshot()
	switch {
	case state.own.fingerprint != s.own:
		return announce(state.own, s.own)
	case state.next != nil:
		return announce(state.next, s.own)
	}
	return announcement{}
}

// announcement is a key that a machine is about to change to, and the proof that it holds that one: else a peer
// could announce the next key of another one, which could not change its key then. The zero announcement is none.
type announcement struct {
	key   Fingerprint
	proof []byte
}

// announce announces next in a session that was opened with the key shown.
func announce(next *identity, shown Fingerprint) announcement {
	key := next.certificate.PrivateKey.(ed25519.PrivateKey)
	proof := slices.Concat(key.Public().(ed25519.PublicKey), ed25519.Sign(key, statement(shown, next.fingerprint)))
	return announcement{next.fingerprint, proof}
}

// statement is what a next key signs: who announces it, so that nobody else can use the proof.
func statement(shown, next Fingerprint) []byte {
	return slices.Concat([]byte("pialert next key 1\x00"), shown[:], next[:])
}

// proves reports whether a proof is of whoever holds next and showed a key.
func proves(proof []byte, shown, next Fingerprint) bool {
	if len(proof) != ed25519.PublicKeySize+ed25519.SignatureSize {
		return false
	}
	key, signature := PublicKey(proof[:ed25519.PublicKeySize]), proof[ed25519.PublicKeySize:]
	return key.Fingerprint() == next && ed25519.Verify(key[:], statement(shown, next), signature)
}

// learn takes in what a greeting says of the peer's keys: the one that it used, which retires
// a former one, and the one that it is about to change to. It writes only what is new.
func (k *Keyring) learn(key Fingerprint, next, proof []byte) error {
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
	return k.update(func(state *keys) error { return state.setPeerKeys(key, announced, proves(proof, key, announced)) })
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
