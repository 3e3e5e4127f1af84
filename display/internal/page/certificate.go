package page

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"strings"
	"time"

	"github.com/pialert/pialert/pkg/private"
)

// The file of the page's own key and certificate, PEM, and how much of it is read.
const (
	certificateFile    = "web.pem"
	maxCertificateFile = 64 << 10
)

// certificateLong is how long the page's own certificate lasts. Browsers trust it because a person
// compared its fingerprint, so that a new one now and then would only teach to click it away.
const certificateLong = 10 * 365 * day

// OwnCertificate returns the certificate in a folder, and makes it first if there is none. It is for
// browsers, which do not take the Ed25519 keys that displays and agents know each other by.
func OwnCertificate(dir string, names []string, now time.Time) (*tls.Certificate, error) {
	files := private.Dir(dir)
	text, err := files.Read(certificateFile, maxCertificateFile)
	if errors.Is(err, fs.ErrNotExist) {
		if text, err = newCertificate(names, now); err == nil {
			err = files.Write(certificateFile, text)
		}
	}
	if err != nil {
		return nil, err
	}
	certificate, err := tls.X509KeyPair(text, text)
	if err != nil {
		return nil, fmt.Errorf("cannot use %s: %w; remove it to have another one made", files.Path(certificateFile), err)
	}
	return &certificate, nil
}

// newCertificate makes a key and a certificate that it signs itself.
func newCertificate(names []string, now time.Time) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "PiAlert"},
		NotBefore: now.Add(-day), NotAfter: now.Add(certificateLong), // the browser's clock may be behind
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...), nil
}

// Fingerprint writes a certificate's SHA-256 as browsers show it.
func Fingerprint(certificate *tls.Certificate) string {
	var pairs []string
	for _, b := range sha256.Sum256(certificate.Certificate[0]) {
		pairs = append(pairs, fmt.Sprintf("%02X", b))
	}
	return strings.Join(pairs, ":")
}
