package pairing

import (
	"crypto/x509"
	"testing"
	"time"
)

// A stranger who knocks sees the certificate: it holds a key that never lapses, and tells nothing.
func TestACertificateTellsNothing(t *testing.T) {
	t.Parallel()
	id, _, err := newIdentity()
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(id.certificate.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	if leaf.PublicKeyAlgorithm != x509.Ed25519 || leaf.SerialNumber.Int64() != 1 || len(leaf.Extensions) > 0 ||
		len(leaf.Subject.Names)+len(leaf.Issuer.Names) > 0 {
		t.Errorf("it has a %s key, the number %v, the names %v and %v, and %v", leaf.PublicKeyAlgorithm, leaf.SerialNumber, leaf.Subject, leaf.Issuer, leaf.Extensions)
	}
	// RFC 5280 section 4.1.2.5: 99991231235959Z is the end of what has no end.
	if from, to := leaf.NotBefore.Format(time.RFC3339), leaf.NotAfter.Format(time.RFC3339); from != "1970-01-01T00:00:00Z" || to != "9999-12-31T23:59:59Z" {
		t.Errorf("it is valid from %s to %s", from, to)
	}
}
