package pairing

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strings"
)

// Fingerprint is the SHA-256 of a public key in its X.509 form (SubjectPublicKeyInfo). The zero
// Fingerprint is that of no key.
type Fingerprint [sha256.Size]byte

const fingerprintPrefix = "SHA256:"

func fingerprintOf(cert *x509.Certificate) Fingerprint {
	return sha256.Sum256(cert.RawSubjectPublicKeyInfo)
}

// ParseFingerprint reads what [Fingerprint.String] writes.
func ParseFingerprint(text string) (Fingerprint, error) {
	digits, ok := strings.CutPrefix(text, fingerprintPrefix)
	raw, err := base64.RawStdEncoding.Strict().DecodeString(digits)
	if !ok || err != nil || len(raw) != sha256.Size {
		return Fingerprint{}, fmt.Errorf("%q is no key fingerprint: want %s and 43 base64 digits", text, fingerprintPrefix)
	}
	return Fingerprint(raw), nil
}

// IsZero says whether f is the fingerprint of no key.
func (f Fingerprint) IsZero() bool { return f == Fingerprint{} }

// String returns the form that OpenSSH shows keys in: "SHA256:" and unpadded base64.
func (f Fingerprint) String() string {
	return fingerprintPrefix + base64.RawStdEncoding.EncodeToString(f[:])
}

// MarshalText returns [Fingerprint.String].
func (f Fingerprint) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText accepts what [ParseFingerprint] accepts.
func (f *Fingerprint) UnmarshalText(text []byte) error {
	parsed, err := ParseFingerprint(string(text))
	if err == nil {
		*f = parsed
	}
	return err
}
