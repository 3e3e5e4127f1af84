package responder_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/pialert/pialert/agent/internal/responder"
)

// Whatever is decided, and whenever it is stopped, a responder goes on where it was.
func TestRestarts(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	now := time.Now()
	o := options(filepath.Join(t.TempDir(), "bans.db"), nil)
	o.Now = func() time.Time { return now }
	r := open(t, o)
	truth := map[string]time.Time{}
	for range 500 {
		target := fmt.Sprintf("9.9.9.%d/32", random.IntN(40))
		switch random.IntN(4) {
		case 0:
			_, err := r.Unban(netip.MustParsePrefix(target))
			if _, banned := truth[target]; banned != (err == nil) && truth[target].After(now) {
				t.Fatalf("unban %s: %v", target, err)
			}
			delete(truth, target)
		case 1:
			r = reopen(t, r, o)
		default:
			span := time.Duration(1+random.IntN(600)) * time.Second
			if _, _, err := r.Ban(ask(target, span)); err != nil {
				t.Fatal(err)
			}
			if until := now.Add(span); until.After(truth[target].Add(time.Second)) || !truth[target].After(now) {
				truth[target] = until
			}
		}
		now = now.Add(time.Duration(random.IntN(10)) * time.Second)
		var want, got []string
		for target, until := range truth {
			if until.After(now) {
				want = append(want, target+" "+until.Format(time.RFC3339Nano))
			}
		}
		for _, b := range r.Bans() {
			got = append(got, b.Target.String()+" "+b.Until.Format(time.RFC3339Nano))
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("bans\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// Nothing that comes over the socket can ban beyond the bounds, or break the responder.
func FuzzBan(f *testing.F) {
	for _, r := range []responder.Request{ask("9.9.9.9/32", time.Hour), ask("2a00::/64", time.Second), ask("0.0.0.0/0", time.Hour)} {
		text, err := json.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"target":"198.51.100.1/24","for":-1}`))
	r, err := responder.Open(options(filepath.Join(f.TempDir(), "bans.db"), nil))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { r.Close() })
	handler, allowed := r.Handler(), netip.MustParsePrefix("198.51.100.0/24")
	f.Fuzz(func(t *testing.T, body []byte) {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("POST", "/ban", bytes.NewReader(body)))
		for _, b := range r.Bans() {
			least := 16
			if b.Target.Addr().Is6() {
				least = 32
			}
			if b.Target.Bits() < least || b.Target.Overlaps(allowed) || b.Until.Sub(b.Since) > 30*24*time.Hour {
				t.Fatalf("%q banned %+v", body, b)
			}
		}
		if _, err := r.Flush(); err != nil {
			t.Fatal(err)
		}
	})
}

// A file whose bans cannot be read is refused, not taken for one without bans.
func TestADamagedStoreIsRefused(t *testing.T) {
	for key, value := range map[string]string{"9.9.9.9/32": "short", "9.9.9.9/33": strings.Repeat("x", 40), "9.9.9.9/24": strings.Repeat("\x00", 40), "9.9.9.8/32": strings.Repeat("\xff", 18)} {
		path := filepath.Join(t.TempDir(), "bans.db")
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(func(tx *bbolt.Tx) error {
			bucket, err := tx.CreateBucket([]byte("bans"))
			if err != nil {
				return err
			}
			return bucket.Put([]byte(key), []byte(value))
		})
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := responder.Open(options(path, nil)); err == nil || !strings.Contains(err.Error(), "cannot be read") {
			t.Errorf("%q: %v", key, err)
		}
	}
}
