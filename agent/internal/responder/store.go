package responder

import (
	"encoding/json"
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
	err = db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bucket)
		if err != nil {
			return err
		}
		return b.ForEach(func(key, value []byte) error {
			var ban Ban
			if err := json.Unmarshal(value, &ban); err != nil || ban.Target.String() != string(key) {
				return fmt.Errorf("the ban of %q cannot be read: %v", key, err)
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
		b := tx.Bucket(bucket)
		for _, target := range remove {
			if err := b.Delete([]byte(target.String())); err != nil {
				return err
			}
		}
		for _, ban := range put {
			value, err := json.Marshal(ban)
			if err != nil {
				return err
			}
			if err := b.Put([]byte(ban.Target.String()), value); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *store) close() error { return s.db.Close() }
