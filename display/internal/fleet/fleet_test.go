package fleet_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"

	"github.com/pialert/pialert/display/internal/fleet"
	"github.com/pialert/pialert/pkg/broker"
	"github.com/pialert/pialert/pkg/pairing"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// begin makes an authority and the display's keys.
func begin(t *testing.T) (*fleet.Authority, *pairing.Keyring, string) {
	t.Helper()
	keys, err := pairing.Open(t.TempDir(), pairing.Display, "pi")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := fleet.Open(dir); !errors.Is(err, fleet.ErrNone) {
		t.Fatalf("an empty folder has an authority: %v", err)
	}
	a, err := fleet.Begin(dir, fleet.Settings{Servers: []string{"tls://nats.example.org:4222"}, Stream: "pialert", MaxBytes: 1 << 30}, noon)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fleet.Begin(dir, fleet.Settings{}, noon); err == nil {
		t.Error("a second authority takes the first one's place")
	}
	return a, keys, dir
}

func invite(t *testing.T, a *fleet.Authority, keys *pairing.Keyring, name string) (secret []byte, id broker.ID) {
	t.Helper()
	made, err := a.Invite(keys, []string{name}, time.Hour, noon)
	if err != nil {
		t.Fatal(err)
	}
	token, err := pairing.ParseToken(made[0].Token)
	if err != nil {
		t.Fatal(err)
	}
	if id, err = made[0].Credentials.ID(); err != nil {
		t.Fatal(err)
	}
	return token.Secret[:], id
}

// An invitation is for one machine, for a time; the machine that has used it may ask again.
func TestInvitations(t *testing.T) {
	a, keys, dir := begin(t)
	secret, id := invite(t, a, keys, "web1")
	mine, other := pairing.Fingerprint{1}, pairing.Fingerprint{2}
	if a, err := fleet.Open(dir); err != nil { // what follows holds for another process, too
		t.Fatal(a, err)
	}
	redeem := func(secret []byte, id broker.ID, key pairing.Fingerprint, at time.Time, want error) {
		t.Helper()
		name, err := a.Redeem(secret, id, key, at)
		if !errors.Is(err, want) || err == nil && name != "web1" {
			t.Errorf("%q, %v; want %v", name, err, want)
		}
	}
	redeem([]byte("guessed"), id, mine, noon, fleet.ErrUnknown)
	redeem(secret, "ANOTHER", mine, noon, fleet.ErrUnknown)
	redeem(secret, id, mine, noon.Add(2*time.Hour), fleet.ErrLapsed)
	redeem(secret, id, mine, noon, nil)
	redeem(secret, id, mine, noon.Add(2*time.Hour), nil)
	redeem(secret, id, other, noon, fleet.ErrUsed)
	redeem(secret, id, mine, noon.Add(48*time.Hour), fleet.ErrUnknown)

	unused, _ := invite(t, a, keys, "web1")
	again, newer := invite(t, a, keys, "web1")
	redeem(unused, id, mine, noon, fleet.ErrUnknown) // withdrawn
	redeem(again, newer, mine, noon, nil)
	for _, names := range [][]string{{"web2", "web2"}, {"no good name"}} {
		if _, err := a.Invite(keys, names, time.Hour, noon); err == nil {
			t.Errorf("%q are invited", names)
		}
	}
}

// What is removed is revoked in the account that the servers are given, all of it and nothing else, and cannot be
// redeemed. Nothing else of their configuration changes that a server cannot read while it runs.
func TestRemove(t *testing.T) {
	a, keys, _ := begin(t)
	_, first := invite(t, a, keys, "web1")
	secret, second := invite(t, a, keys, "web1")
	_, other := invite(t, a, keys, "web2")
	operator, revoked := configured(t, a)
	if len(revoked) > 0 {
		t.Errorf("revoked from the beginning: %v", revoked)
	}
	if n, err := a.Remove("web1", noon); n != 2 || err != nil {
		t.Fatalf("%d removed, %v", n, err)
	}
	if _, err := a.Remove("web1", noon); !errors.Is(err, fleet.ErrNotIssued) {
		t.Errorf("removed twice: %v", err)
	}
	if _, err := a.Redeem(secret, second, pairing.Fingerprint{1}, noon); !errors.Is(err, fleet.ErrUnknown) {
		t.Errorf("its invitation: %v", err)
	}
	same, revoked := configured(t, a)
	if same != operator {
		t.Error("another operator: a server that runs does not read it")
	}
	if !slices.Contains(revoked, string(first)) || !slices.Contains(revoked, string(second)) || slices.Contains(revoked, string(other)) {
		t.Errorf("revoked are %v, want %s and %s", revoked, first, second)
	}
	if n, err := a.Remove("web2", noon); n != 1 || err != nil {
		t.Errorf("%d removed, %v", n, err)
	}
	if _, revoked := configured(t, a); len(revoked) != 3 {
		t.Errorf("revoked are %v", revoked)
	}
}

// What a display revoked that has a copy of the keys stays revoked when another one writes the servers' configuration anew.
func TestAdopt(t *testing.T) {
	a, keys, dir := begin(t)
	_, mine := invite(t, a, keys, "web1")
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(copied, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if err := os.Chmod(file, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, err := fleet.Open(copied)
	if err != nil {
		t.Fatal(err)
	}
	_, theirs := invite(t, b, keys, "web2")
	for name, authority := range map[string]*fleet.Authority{"web1": a, "web2": b} {
		if n, err := authority.Remove(name, noon); n != 1 || err != nil {
			t.Fatalf("%d removed, %v", n, err)
		}
	}
	written, err := b.Server(b.Servers[0], fleet.Place{}, noon)
	if err != nil {
		t.Fatal(err)
	}
	stranger, _, _ := begin(t)
	for _, one := range []*fleet.Authority{a, stranger} {
		for _, configuration := range [][]byte{written[0].Data, []byte("  noise: a.b.c\n"), nil} {
			if err := one.Adopt(configuration); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, revoked := configured(t, a); len(revoked) != 2 || !slices.Contains(revoked, string(mine)) || !slices.Contains(revoked, string(theirs)) {
		t.Errorf("revoked are %v, want %s and %s", revoked, mine, theirs)
	}
	if _, revoked := configured(t, stranger); len(revoked) > 0 {
		t.Errorf("in another fleet %v are revoked", revoked)
	}
}

// configured reads what a server is given: its operator, and who is revoked.
func configured(t *testing.T, a *fleet.Authority) (operator string, revoked []string) {
	t.Helper()
	files, err := a.Server(a.Servers[0], fleet.Place{Folder: "/etc/nats", Store: "/var/lib/nats"}, noon)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(files[0].Data)) {
		key, token, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if key == "operator" {
			operator = token
		}
		if claims, err := jwt.DecodeAccountClaims(token); err == nil {
			for id := range claims.Revocations {
				revoked = append(revoked, id)
			}
		}
	}
	if operator == "" {
		t.Fatalf("no operator in\n%s", files[0].Data)
	}
	return operator, revoked
}
