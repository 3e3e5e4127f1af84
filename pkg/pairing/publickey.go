package pairing

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

// PublicKey is the public half of a machine's Ed25519 key. It is no secret, and is trusted only as
// far as its fingerprint is pinned.
type PublicKey [ed25519.PublicKeySize]byte

// spkiPrefix stands before an Ed25519 key in its X.509 form (RFC 8410 section 4).
var spkiPrefix = []byte{0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00}

// Fingerprint returns what the key is pinned by.
func (p PublicKey) Fingerprint() Fingerprint {
	return sha256.Sum256(append(spkiPrefix[:12:12], p[:]...))
}

// IsZero says whether p is no key.
func (p PublicKey) IsZero() bool { return p == PublicKey{} }

var base64Raw = base64.RawStdEncoding.Strict()

// MarshalText returns the key as 43 digits of base64.
func (p PublicKey) MarshalText() ([]byte, error) { return base64Raw.AppendEncode(nil, p[:]), nil }

// UnmarshalText reads what [PublicKey.MarshalText] writes.
func (p *PublicKey) UnmarshalText(text []byte) error {
	raw, err := base64Raw.DecodeString(string(text))
	if err != nil || len(raw) != len(p) {
		return fmt.Errorf("%q is no public key: want 43 base64 digits", text)
	}
	*p = PublicKey(raw)
	return nil
}
