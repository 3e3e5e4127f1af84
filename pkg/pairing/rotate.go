package pairing

import "fmt"

// Rotate begins a change of this machine's key and returns the next key's fingerprint. The
// change ends by itself once every peer has stored that fingerprint, at once if there is no
// peer. Calling Rotate while a change is under way goes on with that one.
func (k *Keyring) Rotate() (Fingerprint, error) {
	var next Fingerprint
	err := k.update(func(state *keys) error {
		if state.next == nil {
			id, content, err := newIdentity()
			if err != nil {
				return err
			}
			if err := k.dir.Write(nextKeyFile, content); err != nil {
				return err
			}
			state.next = id
		}
		next = state.next.fingerprint
		return nil
	})
	return next, err
}

// Rotation returns the next key's fingerprint and the names of the peers that have not stored
// it yet. The fingerprint is zero when no change is under way.
func (k *Keyring) Rotation() (next Fingerprint, waitingFor []string) {
	state := k.snapshot()
	return state.nextKey(), state.pending()
}

func (s *keys) nextKey() Fingerprint {
	if s.next == nil {
		return Fingerprint{}
	}
	return s.next.fingerprint
}

func (s *keys) pending() []string {
	var names []string
	if s.next != nil {
		for _, peer := range s.peers {
			if peer.Knows != s.next.fingerprint {
				names = append(names, peer.Name)
			}
		}
	}
	return names
}

// setPeerKeys notes that a peer uses key, which retires a former one, and that it is about to
// change to next. A zero next leaves a key that was announced before in place: the greeting may
// be older than the announcement, and forgetting would lock the peer out. Proven says that the peer holds next: then
// whoever else announced it did not.
func (s *keys) setPeerKeys(key, next Fingerprint, proven bool) error {
	at := s.byKey(key)
	if at < 0 {
		return ErrNotPaired
	}
	if other := s.byKey(next); other >= 0 && other != at && proven && s.peers[other].Key != next {
		s.peers[other].NextKey = Fingerprint{}
	} else if other >= 0 && other != at || next == s.own.fingerprint {
		return fmt.Errorf("%s announces a key that is not its own", s.peers[at].Name)
	}
	peer := &s.peers[at]
	if peer.NextKey == key {
		peer.Key, peer.NextKey, peer.Public = key, Fingerprint{}, PublicKey{} // which is the former one's
	}
	if !next.IsZero() && next != key {
		peer.NextKey = next
	}
	return nil
}

// storeKnows stores durably that the peer with key has stored our next key.
func (k *Keyring) storeKnows(key, next Fingerprint) error {
	return k.update(func(state *keys) error {
		at := state.byKey(key)
		if at < 0 {
			return ErrNotPaired
		}
		state.peers[at].Knows = next
		return nil
	})
}
