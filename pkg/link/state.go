package link

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pialert/pialert/pkg/pairing"
)

// State is how the link to one peer stands.
type State struct {
	Peer     string    `json:"peer"`
	Up       bool      `json:"up"`
	Since    time.Time `json:"since,omitzero"`    // when it came up or went down; zero if it was never up
	Address  string    `json:"address,omitempty"` // of the present or last connection
	Connects uint64    `json:"connects"`          // connections opened so far
	Tries    uint64    `json:"tries,omitempty"`   // failed ones since it went down, at the end that dials
	Error    string    `json:"error,omitempty"`   // why it is down
	Note     string    `json:"note,omitempty"`    // what its owner should know though it is up
}

// board keeps the states of the peers that were heard of. The zero value is ready to use.
type board struct {
	mu    sync.Mutex
	peers map[string]*boardEntry
}

type boardEntry struct {
	State
	conn *Conn
}

func (b *board) entry(peer string) *boardEntry {
	if b.peers == nil {
		b.peers = map[string]*boardEntry{}
	}
	if b.peers[peer] == nil {
		b.peers[peer] = &boardEntry{State: State{Peer: peer}}
	}
	return b.peers[peer]
}

func (b *board) up(conn *Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entry(conn.Peer.Name)
	e.conn, e.Up, e.Since, e.Address = conn, true, time.Now(), conn.Address
	e.Connects++
	e.Tries, e.Error = 0, ""
}

// down notes the end of conn, unless another connection of the peer is up already.
func (b *board) down(conn *Conn, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.entry(conn.Peer.Name); e.conn == conn {
		e.conn, e.Up, e.Since, e.Error = nil, false, time.Now(), reason(err)
	}
}

func (b *board) failed(peer string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entry(peer)
	e.Tries++
	e.Error = err.Error()
}

// states returns the states of those that are still paired, and forgets the others.
func (b *board) states(keyring *pairing.Keyring) []State {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []State
	for name, e := range b.peers {
		if _, err := keyring.Peer(name); err != nil && !e.Up {
			delete(b.peers, name)
			continue
		}
		all = append(all, e.State)
	}
	slices.SortFunc(all, func(a, b State) int { return strings.Compare(a.Peer, b.Peer) })
	return all
}

// reason is an error as a State tells it.
func reason(err error) string {
	if err == nil {
		return "closed"
	}
	return err.Error()
}
