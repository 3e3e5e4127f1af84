package responder

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
)

// store keeps bans on disk, each change synced before it returns.
type store struct{ db *bbolt.DB }

var (
	bucket      = []byte("bans")
	state       = []byte("state") // what there is one of
	pausedKey   = []byte("paused")
	resolvedKey = []byte("told") // as every store has it
)

// kept is what a store has.
type kept struct {
	bans     map[netip.Prefix]Ban
	paused   time.Time
	resolved map[string]addresses
}

// openStore opens or makes the file, and returns what is in it.
func openStore(path string) (*store, *kept, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, nil, fmt.Errorf("cannot make the responder's folder: %w", err)
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		return nil, nil, fmt.Errorf("cannot open the bans %s: %w", path, err)
	}
	all := &kept{bans: map[netip.Prefix]Ban{}, resolved: map[string]addresses{}}
	if err := db.View(all.read); err != nil { // writes nothing: a start waits for no disk
		db.Close()
		return nil, nil, fmt.Errorf("cannot read the bans %s: %w", path, err)
	}
	return &store{db}, all, nil
}

func (k *kept) read(tx *bbolt.Tx) error {
	if b := tx.Bucket(state); b != nil {
		if text := b.Get(pausedKey); text != nil {
			if err := k.paused.UnmarshalText(text); err != nil {
				return fmt.Errorf("the end of the pause cannot be read: %w", err)
			}
		}
		if text := b.Get(resolvedKey); text != nil {
			if err := json.Unmarshal(text, &k.resolved); err != nil {
				return fmt.Errorf("the addresses of names cannot be read: %w", err)
			}
		}
	}
	b := tx.Bucket(bucket)
	if b == nil {
		return nil
	}
	k.bans = make(map[netip.Prefix]Ban, b.Stats().KeyN)
	return b.ForEach(func(key, value []byte) error {
		ban, ok := decode(key, value)
		if !ok {
			return fmt.Errorf("the ban of %q cannot be read", key)
		}
		k.bans[ban.Target] = ban
		return nil
	})
}

// settle binds what was read to the clock that runs now, so that setting the clock later moves nothing.
// What was decided in the future was decided before the clock was set back: it lasts as long as it was to,
// from now on.
func (k *kept) settle(now time.Time) {
	for target, ban := range k.bans {
		late := max(ban.Since.Sub(now), 0)
		ban.Since, ban.Until = now.Add(ban.Since.Sub(now)-late), now.Add(ban.Until.Sub(now)-late)
		k.bans[target] = ban
	}
	if left := k.paused.Sub(now); left <= maxPause {
		k.paused = now.Add(left)
	} else {
		k.paused = time.Time{}
	}
}

// pause keeps until when nothing is in force.
func (s *store) pause(until time.Time) error {
	text, err := until.MarshalText()
	if err != nil {
		return err
	}
	return s.set(pausedKey, text)
}

// keepResolved keeps the addresses of names.
func (s *store) keepResolved(resolved map[string]addresses) error {
	text, err := json.Marshal(resolved)
	if err != nil {
		return err
	}
	return s.set(resolvedKey, text)
}

func (s *store) set(key, value []byte) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(state)
		if err != nil {
			return err
		}
		return b.Put(key, value)
	})
}

// change puts and deletes bans, all or nothing.
func (s *store) change(put []Ban, remove []netip.Prefix) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bucket)
		if err != nil {
			return err
		}
		for _, target := range remove {
			if err := b.Delete([]byte(target.String())); err != nil {
				return err
			}
		}
		for _, ban := range put {
			if err := b.Put([]byte(ban.Target.String()), encode(ban)); err != nil {
				return err
			}
		}
		return nil
	})
}

// encode writes what a ban's key does not say: since and until in nanoseconds since 1970, the length of
// the reason, the reason, the evidence. Tens of thousands are read before the first packet is dropped,
// which JSON would take longer for than the kernel.
func encode(ban Ban) []byte {
	value := binary.BigEndian.AppendUint64(nil, uint64(ban.Since.UnixNano()))
	value = binary.BigEndian.AppendUint64(value, uint64(ban.Until.UnixNano()))
	value = binary.BigEndian.AppendUint16(value, uint16(len(ban.Reason)))
	return append(append(value, ban.Reason...), ban.Evidence...)
}

// fixed is the length of what stands before the reason.
const fixed = 8 + 8 + 2

func decode(key, value []byte) (Ban, bool) {
	target, err := netip.ParsePrefix(string(key))
	if err != nil || target != target.Masked() || len(value) < fixed {
		return Ban{}, false
	}
	end := fixed + int(binary.BigEndian.Uint16(value[16:]))
	if end > len(value) {
		return Ban{}, false
	}
	text := string(value[fixed:]) // one for both
	return Ban{
		Target: target, Reason: text[:end-fixed], Evidence: text[end-fixed:],
		Since: time.Unix(0, int64(binary.BigEndian.Uint64(value))), Until: time.Unix(0, int64(binary.BigEndian.Uint64(value[8:]))),
	}, true
}

func (s *store) close() error { return s.db.Close() }

// addresses are those of a name, each with when it was first told without it; zero as long as it has it.
type addresses map[netip.Addr]time.Time
