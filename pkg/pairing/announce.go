package pairing

import pialertv1 "github.com/pialert/pialert/proto/pialert/v1"

// Where no connection between the two machines can be had, an agent tells of its next key in the sealed letters that it
// sends anyhow. Only the agent's key can change so: a display's is the address that letters are sent to
// and the key that those are sealed for that wait for it.

// Announce returns what a letter that the present key signs says of the next one; nil while no change is under way.
func (k *Keyring) Announce() *pialertv1.Greeting {
	state := k.snapshot()
	if state.next == nil {
		return nil
	}
	next := announce(state.next, state.own.fingerprint)
	return &pialertv1.Greeting{NextKey: next.key.bytes(), NextProof: next.proof}
}

// Announced takes in what a peer said in a letter that one of its keys signed, and returns the answer; nil
// if there is none. What it has taken in is durable. A next key signs only after it was announced, and says nothing of keys.
func (k *Keyring) Announced(from Fingerprint, said *pialertv1.Greeting) (*pialertv1.Greeting, error) {
	state := k.snapshot()
	at := state.byKey(from)
	switch {
	case at < 0:
		return nil, ErrNotPaired
	case len(said.GetNextKey()) == 0 || state.peers[at].Key != from:
		return nil, nil
	}
	if err := k.learn(from, said.GetNextKey(), said.GetNextProof()); err != nil {
		return nil, err
	}
	return &pialertv1.Greeting{StoredKey: said.GetNextKey()}, nil
}

// Answered takes in the answer of a peer with a key. When all have answered, the next key is the present one.
func (k *Keyring) Answered(from Fingerprint, said *pialertv1.Greeting) error {
	next, _ := k.Rotation()
	if next.IsZero() || string(said.GetStoredKey()) != string(next[:]) {
		return nil
	}
	return k.storeKnows(from, next)
}

// Uses takes in that a peer uses a key for good: a former one lets nobody in any more.
func (k *Keyring) Uses(key Fingerprint) error { return k.learn(key, nil, nil) }
