package intake

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"time"
)

const (
	// maxKeys bounds the keys that are remembered; above it the oldest goes.
	maxKeys = 1 << 14
	// keyFor is for how long a key is remembered.
	keyFor = 24 * time.Hour
)

// Keys knows by which keys requests were made, so that one that is repeated counts once. It belongs to one
// goroutine at a time.
type Keys struct {
	known map[string]int64 // when, in seconds since 1970
	moved map[string]bool  // since Changes
}

// NewKeys returns a Keys that knows none.
func NewKeys() *Keys { return &Keys{known: map[string]int64{}, moved: map[string]bool{}} }

// Take notes the key of somebody's request, and says whether it is new.
func (k *Keys) Take(who, key string, now time.Time) bool {
	sum := sha256.Sum256([]byte(who + "\x00" + key))
	name := hex.EncodeToString(sum[:16])
	if _, ok := k.known[name]; ok {
		return false
	}
	if len(k.known) >= maxKeys {
		oldest := ""
		for other, at := range k.known {
			if oldest == "" || at < k.known[oldest] {
				oldest = other
			}
		}
		k.drop(oldest)
	}
	k.known[name], k.moved[name] = now.Unix(), true
	return true
}

func (k *Keys) drop(name string) {
	delete(k.known, name)
	k.moved[name] = true
}

// Tick forgets old keys.
func (k *Keys) Tick(now time.Time) {
	for name, at := range k.known {
		if now.Unix()-at > int64(keyFor/time.Second) {
			k.drop(name)
		}
	}
}

// Changes visits what is to be remembered and differs from what was visited last; a nil value deletes
// its key.
func (k *Keys) Changes(visit func(key string, value []byte)) {
	for name := range k.moved {
		if at, ok := k.known[name]; ok {
			visit(name, binary.AppendVarint(nil, at))
		} else {
			visit(name, nil)
		}
	}
	clear(k.moved)
}

// Restore takes back what Changes visited.
func (k *Keys) Restore(name string, value []byte) error {
	at, n := binary.Varint(value)
	if n <= 0 {
		return errors.New("cannot restore the key of a request")
	}
	k.known[name] = at
	return nil
}
