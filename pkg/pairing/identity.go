package pairing

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/pialert/pialert/pkg/private"
)

const (
	keyFile     = "identity.key"
	nextKeyFile = "identity.next.key"
	lockFile    = "pairing.lock"
	pemType     = "PRIVATE KEY" // PKCS #8, RFC 5958
	maxKeyFile  = 4096          // bytes; an Ed25519 key takes 119
)

// identity is a private key with the certificate that presents it.
type identity struct {
	certificate tls.Certificate
	fingerprint Fingerprint
	sealing     hpke.PrivateKey // the same key in the form that messages are sealed for
}

// newIdentity makes a key in memory and returns it with the content of its file.
func newIdentity() (*identity, []byte, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	id, err := identityFor(key)
	return id, pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}), err
}

// readIdentity reads a key file; the error is [fs.ErrNotExist] if there is none.
func readIdentity(dir private.Dir, name string) (*identity, error) {
	data, err := dir.Read(name, maxKeyFile)
	if err != nil {
		return nil, err
	}
	key, err := parseKey(data)
	if err != nil {
		return nil, fmt.Errorf("cannot use %s: %w; restore it from a backup, or remove it and pair anew",
			dir.Path(name), err)
	}
	return identityFor(key)
}

func parseKey(data []byte) (ed25519.PrivateKey, error) {
	block, rest := pem.Decode(data)
	switch {
	case block == nil:
		return nil, errors.New("it holds no PEM block")
	case block.Type != pemType:
		return nil, fmt.Errorf("it holds a %q where a %q is expected", block.Type, pemType)
	case len(rest) > 0:
		return nil, errors.New("something follows the key")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("its key is a %T, not an Ed25519 key", parsed)
	}
	return key, nil
}

// identityFor makes the certificate of key. It names nobody, since a stranger may see it, and
// its dates say what RFC 5280 section 4.1.2.5 says for "never": nobody verifies them.
func identityFor(key ed25519.PrivateKey) (*identity, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Unix(0, 0).UTC(),
		NotAfter:     time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	sealing, err := sealingKey(key)
	if err != nil {
		return nil, err
	}
	return &identity{
		sealing:     sealing,
		certificate: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf},
		fingerprint: fingerprintOf(leaf),
	}, nil
}

// sealingKey returns the X25519 form of a key, as RFC 8032 section 5.1.5 and RFC 7748 section 5 make it.
func sealingKey(key ed25519.PrivateKey) (hpke.PrivateKey, error) {
	digest := sha512.Sum512(key.Seed())
	curve, err := ecdh.X25519().NewPrivateKey(digest[:32])
	if err != nil {
		return nil, err
	}
	return hpke.NewDHKEMPrivateKey(curve)
}
