package responder

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
)

// Ban is a decision that was accepted.
type Ban struct {
	Target   netip.Prefix `json:"target"`
	Since    time.Time    `json:"since"`
	Until    time.Time    `json:"until"`
	Reason   string       `json:"reason"`
	Evidence string       `json:"evidence,omitempty"`
}

// store keeps bans on disk, each change synced before it returns.
type store struct{ db *bbolt.DB }

var bucket = []byte("bans")

// openStore opens or makes the file, and returns the bans in it.
func openStore(path string) (*store, map[netip.Prefix]Ban, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, nil, fmt.Errorf("cannot make the responder's folder: %w", err)
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		return nil, nil, fmt.Errorf("cannot open the bans %s: %w", path, err)
	}
	bans := map[netip.Prefix]Ban{}
	err = db.View(func(tx *bbolt.Tx) error { // without a write where there is nothing to write
		b := tx.Bucket(bucket)
		if b == nil {
			return nil
		}
		bans = make(map[netip.Prefix]Ban, b.Stats().KeyN)
		return b.ForEach(func(key, value []byte) error {
			ban, ok := decode(key, value)
			if !ok {
				return fmt.Errorf("the ban of %q cannot be read", key)
			}
			bans[ban.Target] = ban
			return nil
		})
	})
	if err != nil {
		db.Close()
		return nil, nil, fmt.Errorf("cannot read the bans %s: %w", path, err)
	}
	return &store{db}, bans, nil
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
