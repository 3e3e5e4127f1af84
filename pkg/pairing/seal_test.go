package pairing

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hpke"
	"encoding/hex"
	"errors"
	"testing"
)

func sealers(t *testing.T) (agent, display *Keyring) {
	t.Helper()
	agent, err := Open(t.TempDir(), Agent, "vps")
	if err != nil {
		t.Fatal(err)
	}
	if display, err = Open(t.TempDir(), Display, "desk"); err != nil {
		t.Fatal(err)
	}
	return agent, display
}

func TestSealedMessagesReachWhomTheyAreFor(t *testing.T) {
	agent, display := sealers(t)
	for _, message := range []string{"", "an attack", string(bytes.Repeat([]byte{0}, 1<<16))} {
		sealed, err := agent.Seal(display.Public(), "events", []byte(message))
		if err != nil {
			t.Fatal(err)
		}
		if len(sealed) != len(message)+SealedOverhead {
			t.Errorf("%d bytes became %d", len(message), len(sealed))
		}
		from, got, err := display.Unseal("events", sealed)
		if err != nil || from != agent.Public() || string(got) != message {
			t.Errorf("%d bytes from %s came as %d bytes from %s, %v", len(message), agent.Key(), len(got), from.Fingerprint(), err)
		}
	}
}

// Whoever carries a message can neither read it nor change any bit of it.
func TestCarriersCannotReadOrAlter(t *testing.T) {
	agent, display := sealers(t)
	secret := []byte("the user name that somebody tried")
	sealed, err := agent.Seal(display.Public(), "events", secret)
	if err != nil {
		t.Fatal(err)
	}
	if key := agent.Public(); bytes.Contains(sealed, secret) || bytes.Contains(sealed, key[:]) {
		t.Error("the message, or who wrote it, can be read on the way")
	}
	for i := range sealed {
		for _, flip := range []byte{1, 0x80} {
			altered := bytes.Clone(sealed)
			altered[i] ^= flip
			if _, _, err := display.Unseal("events", altered); !errors.Is(err, ErrNotSealed) {
				t.Fatalf("with byte %d altered it opens: %v", i, err)
			}
		}
	}
	for n := range sealed {
		if _, _, err := display.Unseal("events", sealed[:n]); !errors.Is(err, ErrNotSealed) {
			t.Fatalf("cut to %d bytes it opens: %v", n, err)
		}
	}
}

func TestSealedMessagesServeOneUse(t *testing.T) {
	agent, display := sealers(t)
	_, other := sealers(t)
	sealed, err := agent.Seal(display.Public(), "events.a", []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := display.Unseal("events.b", sealed); !errors.Is(err, ErrNotSealed) {
		t.Errorf("it opens at another place: %v", err)
	}
	if _, _, err := other.Unseal("events.a", sealed); !errors.Is(err, ErrNotSealed) {
		t.Errorf("another display opens it: %v", err)
	}
	// A display cannot hand an agent's message on to another display as if it was written to that one:
	// what the agent signed names the first one.
	_, message, err := display.Unseal("events.a", sealed)
	if err != nil {
		t.Fatal(err)
	}
	passed, err := display.Seal(other.Public(), "events.a", message)
	if err != nil {
		t.Fatal(err)
	}
	if from, _, err := other.Unseal("events.a", passed); err != nil || from != display.Public() {
		t.Errorf("what a display passed on is from %s, %v", from.Fingerprint(), err)
	}
}

// Whoever knows a machine's public key can encrypt to it. What has no room for a key and a signature is no message.
func TestWhatNobodySignedIsNotSealed(t *testing.T) {
	_, display := sealers(t)
	own := display.snapshot().own
	kdf, aead := suite()
	for n := range ed25519.PublicKeySize + ed25519.SignatureSize {
		sealed, err := hpke.Seal(own.sealing.PublicKey(), kdf, aead, sealedFor(own.fingerprint, "events"), make([]byte, n))
		if err != nil {
			t.Fatal(err)
		}
		if from, message, err := display.Unseal("events", sealed); !errors.Is(err, ErrNotSealed) {
			t.Errorf("%d bytes that nobody signed are %d bytes from %s, %v", n, len(message), from.Fingerprint(), err)
		}
	}
}

// The fingerprint of a bare key is that of the certificate that TLS pins.
func TestPublicKeyHasThePinnedFingerprint(t *testing.T) {
	agent, _ := sealers(t)
	if got := agent.Public().Fingerprint(); got != agent.Key() {
		t.Errorf("its key is %s, and in its certificate %s", got, agent.Key())
	}
}

// The X25519 form of RFC 8032's first test key (section 7.1), by libsodium's
// crypto_sign_ed25519_pk_to_curve25519 and crypto_sign_ed25519_sk_to_curve25519.
func TestSealingKeyIsTheStandardForm(t *testing.T) {
	seed, _ := hex.DecodeString("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
	key, err := sealingKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		t.Fatal(err)
	}
	const want = "d85e07ec22b0ad881537c2f44d662d1a143cf830c57aca4305d85c7a90f6b62e"
	if got := hex.EncodeToString(key.PublicKey().Bytes()); got != want {
		t.Errorf("it is %s, want %s", got, want)
	}
}

func TestLearnTakesOnlyPinnedKeys(t *testing.T) {
	agent, display := sealers(t)
	if err := agent.Learn(display.Public()); !errors.Is(err, ErrNotPaired) {
		t.Errorf("a stranger's key is learnt: %v", err)
	}
	if err := agent.Add(Peer{Name: "desk", Role: Display, Key: display.Key()}); err != nil {
		t.Fatal(err)
	}
	if err := agent.Learn(display.Public()); err != nil {
		t.Fatal(err)
	}
	again, err := Open(agent.Dir(), Agent, "vps")
	if err != nil {
		t.Fatal(err)
	}
	if peer, err := again.Holder(display.Public()); err != nil || peer.Name != "desk" || peer.Public != display.Public() {
		t.Errorf("it holds %+v, %v", peer, err)
	}
}

// What is sealed for a peer is sealed for the key that it uses: a former one is forgotten with its fingerprint.
func TestAFormerKeyIsNotSealedFor(t *testing.T) {
	agent, display := sealers(t)
	befriend(t, agent, display)
	if err := display.Learn(agent.Public()); err != nil {
		t.Fatal(err)
	}
	if _, err := agent.Rotate(); err != nil {
		t.Fatal(err)
	}
	answer, err := display.Announced(agent.Key(), agent.Announce())
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.Answered(display.Key(), answer); err != nil {
		t.Fatal(err)
	}
	if err := display.Uses(agent.Key()); err != nil {
		t.Fatal(err)
	}
	if peer, err := display.Peer("vps"); err != nil || peer.Key != agent.Key() || !peer.Public.IsZero() {
		t.Errorf("the display knows %+v, %v", peer, err)
	}
	if agent.Announce() != nil {
		t.Error("the agent still announces a key")
	}
}
