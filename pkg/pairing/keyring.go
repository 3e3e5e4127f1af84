package pairing

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"github.com/pialert/pialert/pkg/private"
)

// Errors that callers may tell apart.
var (
	ErrNotPaired = errors.New("not paired")     // no peer has that name or key
	ErrNameTaken = errors.New("name is taken")  // another key is paired under that name
	ErrKeyTaken  = errors.New("key is taken")   // that key is paired under another name
	ErrTooMany   = errors.New("too many peers") // MaxPeers are paired
)

// Keyring is this machine's key and the keys of its peers, as one process sees them. It is safe
// for concurrent use. Changes by other processes are seen after [Keyring.Reload].
type Keyring struct {
	dir  private.Dir
	role Role
	name string

	mu      sync.Mutex
	state   keys
	changed chan struct{} // closed and replaced on every change
}

// keys is what the state directory holds. A keys value that was published is never written to.
type keys struct {
	own   *identity
	next  *identity // nil unless a change of keys is under way
	peers []Peer
	index map[Fingerprint]int // of peers by either key; nil until published
}

// Open reads the keyring in a state directory, and makes the directory and the key where they
// are missing. Role and name are what this machine goes by.
func Open(dir string, role Role, name string) (*Keyring, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	k := &Keyring{dir: private.Dir(dir), role: role, name: name, changed: make(chan struct{})}
	return k, k.Reload()
}

// Reload reads the state directory again. On an error the keyring stays as it was.
func (k *Keyring) Reload() error { return k.update(func(*keys) error { return nil }) }

// Begin makes the file of the peers, unless it is there. A service starts when it is: one that is reached by a broker has to
// run before anybody is paired.
func (k *Keyring) Begin() error {
	unlock, err := k.dir.Lock(lockFile)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := k.dir.Read(peersFile, maxPeersFile); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	data, err := encodePeers(nil)
	if err != nil {
		return err
	}
	return k.dir.Write(peersFile, data)
}

// Role returns what this machine is.
func (k *Keyring) Role() Role { return k.role }

// Name returns what this machine goes by.
func (k *Keyring) Name() string { return k.name }

// Changed returns a channel that is closed at the next change of a key or a peer.
func (k *Keyring) Changed() <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.changed
}

// Key returns the fingerprint of this machine's key.
func (k *Keyring) Key() Fingerprint { return k.snapshot().own.fingerprint }

// Peers returns the peers in the order in which they were paired.
func (k *Keyring) Peers() []Peer { return slices.Clone(k.snapshot().peers) }

// Peer returns the peer of that name; the error is [ErrNotPaired] if there is none.
func (k *Keyring) Peer(name string) (Peer, error) {
	state := k.snapshot()
	if i := state.byName(name); i >= 0 {
		return state.peers[i], nil
	}
	return Peer{}, fmt.Errorf("%q: %w", name, ErrNotPaired)
}

// Add pairs a machine that has proved to hold its key. Adding a machine again, under the same name with the same key, replaces
// its addresses unless the new ones are none. The error is [ErrNameTaken], [ErrKeyTaken] or
// [ErrTooMany], or says what is wrong with the peer.
func (k *Keyring) Add(peer Peer) error {
	return k.update(func(state *keys) error {
		if err := state.admissible(peer, k.role); err != nil {
			return err
		}
		state.unannounce(peer)
		switch at := state.byKey(peer.Key); {
		case at < 0:
			state.peers = append(state.peers, peer)
		case len(peer.Addresses) > 0:
			state.peers[at].Addresses = peer.Addresses
		}
		return nil
	})
}

// admissible returns the error with which [Keyring.Add] would refuse peer, or nil.
func (k *Keyring) admissible(peer Peer) error {
	state := k.snapshot()
	return state.admissible(peer, k.role)
}

func (s *keys) admissible(peer Peer, self Role) error {
	if err := peer.check(self); err != nil {
		return err
	}
	at := s.byKey(peer.Key)
	if at >= 0 && s.peers[at].Key != peer.Key && s.peers[at].Name != peer.Name {
		at = -1 // another one announces the key, but this one holds it
	}
	switch {
	case peer.Key == s.own.fingerprint:
		return errors.New("a machine cannot pair with itself")
	case at >= 0 && s.peers[at].Name != peer.Name:
		return fmt.Errorf("%w by %s", ErrKeyTaken, s.peers[at].Name)
	case at < 0 && s.byName(peer.Name) >= 0:
		return fmt.Errorf("%q: %w", peer.Name, ErrNameTaken)
	case at < 0 && len(s.peers) >= MaxPeers:
		return fmt.Errorf("%w: %d are paired", ErrTooMany, MaxPeers)
	}
	return nil
}

// unannounce takes the key of a machine that has proved to hold it from whoever only announces it as
// its next one. Otherwise a peer could keep any machine from being paired, by naming its key.
func (s *keys) unannounce(holder Peer) {
	at := s.byKey(holder.Key)
	if at >= 0 && s.peers[at].Key != holder.Key && s.peers[at].Name != holder.Name {
		s.peers[at].NextKey = Fingerprint{}
	}
}

// Remove unpairs a machine and returns what was known of it; the error is [ErrNotPaired] if
// nothing was.
func (k *Keyring) Remove(name string) (Peer, error) {
	var removed Peer
	err := k.update(func(state *keys) error {
		at := state.byName(name)
		if at < 0 {
			return fmt.Errorf("%q: %w", name, ErrNotPaired)
		}
		removed = state.peers[at]
		state.peers = slices.Delete(state.peers, at, at+1)
		return nil
	})
	return removed, err
}

// update applies change to what is on disk now, stores the result if it differs, and makes it
// this process' view. When it returns nil the change is durable.
func (k *Keyring) update(change func(*keys) error) error {
	unlock, err := k.dir.Lock(lockFile)
	if err != nil {
		return err
	}
	defer unlock()
	before, err := k.load()
	if err != nil {
		return err
	}
	after := before
	after.peers = slices.Clone(before.peers)
	if err := change(&after); err != nil {
		return err
	}
	if err := k.store(before, &after); err != nil {
		return err
	}
	k.publish(after)
	return nil
}

func (k *Keyring) load() (state keys, err error) {
	state.own, err = readIdentity(k.dir, keyFile)
	if errors.Is(err, fs.ErrNotExist) {
		var content []byte
		if state.own, content, err = newIdentity(); err == nil {
			err = k.dir.Write(keyFile, content)
		}
	}
	if err != nil {
		return keys{}, err
	}
	state.next, err = readIdentity(k.dir, nextKeyFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return keys{}, err
	}
	data, err := k.dir.Read(peersFile, maxPeersFile)
	if errors.Is(err, fs.ErrNotExist) {
		return state, nil
	}
	if err == nil {
		state.peers, err = decodePeers(data, k.role)
	}
	if err != nil {
		return keys{}, fmt.Errorf("cannot use %s: %w", k.dir.Path(peersFile), err)
	}
	return state, nil
}

// store makes after durable. The next key becomes the key last, when all peers are stored as
// knowing it, so that a crash in between only delays it to the next update.
func (k *Keyring) store(before keys, after *keys) error {
	if !slices.EqualFunc(before.peers, after.peers, samePeer) {
		if err := checkPeers(after.peers, k.role); err != nil {
			return err
		}
		data, err := encodePeers(after.peers)
		if err != nil {
			return err
		}
		if err := k.dir.Write(peersFile, data); err != nil {
			return err
		}
	}
	if after.next != nil && len(after.pending()) == 0 {
		if err := k.dir.Rename(nextKeyFile, keyFile); err != nil {
			return fmt.Errorf("cannot change to the next key: %w", err)
		}
		after.own, after.next = after.next, nil
	}
	return nil
}

// publish makes state this process' view and wakes those who wait for a change.
func (k *Keyring) publish(state keys) {
	state.index = make(map[Fingerprint]int, len(state.peers))
	for at, peer := range slices.Backward(state.peers) {
		state.index[peer.Key], state.index[peer.NextKey] = at, at
	}
	delete(state.index, Fingerprint{})
	k.mu.Lock()
	defer k.mu.Unlock()
	same := k.state.own != nil && k.state.own.fingerprint == state.own.fingerprint &&
		k.state.nextKey() == state.nextKey() && slices.EqualFunc(k.state.peers, state.peers, samePeer)
	k.state = state
	if !same {
		close(k.changed)
		k.changed = make(chan struct{})
	}
}

func (k *Keyring) snapshot() keys {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state
}

func (s *keys) byName(name string) int {
	return slices.IndexFunc(s.peers, func(p Peer) bool { return p.Name == name })
}

// byKey finds the peer that may authenticate with key, be it the present or the next one.
func (s *keys) byKey(key Fingerprint) int {
	if key.IsZero() {
		return -1
	}
	if s.index != nil {
		if at, ok := s.index[key]; ok {
			return at
		}
		return -1
	}
	return slices.IndexFunc(s.peers, func(p Peer) bool { return p.Key == key || p.NextKey == key })
}

func samePeer(a, b Peer) bool {
	return a.Name == b.Name && a.Role == b.Role && a.Key == b.Key && a.NextKey == b.NextKey &&
		a.Knows == b.Knows && a.Public == b.Public && slices.Equal(a.Addresses, b.Addresses) && a.Paired.Equal(b.Paired)
}

// Dir returns the state directory.
func (k *Keyring) Dir() string { return string(k.dir) }
