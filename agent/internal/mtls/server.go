package mtls

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Server says how a listener is encrypted, and who may connect.
type Server struct {
	Certificate, Key string   // PEM files
	Authority        string   // PEM file of who signed the certificates of clients with names; may be empty
	Clients          []string // names in certificates, and fingerprints of them; none lets everybody connect
}

// Check tells of every mistake, by the name of its field in a configuration. A listener that is not to be
// encrypted must have none of the fields.
func (s *Server) Check(encrypted bool, refuse func(field string, value any, problem string)) {
	switch {
	case encrypted && (s.Certificate == "" || s.Key == ""):
		refuse("certificate", s.Certificate, "give the files of a certificate and its key")
	case !encrypted && (s.Certificate != "" || s.Key != "" || s.Authority != "" || len(s.Clients) > 0):
		refuse("certificate", s.Certificate, "certificates, keys, authority and clients are for tls")
	}
	for i, client := range s.Clients {
		if _, ok := fingerprint(client); !ok && s.Authority == "" {
			refuse(fmt.Sprintf("clients[%d]", i), client, "give a SHA-256 fingerprint, or the authority that signed certificates with names")
		}
	}
}

// fingerprint reads a SHA-256 fingerprint as openssl and others print it.
func fingerprint(text string) (sum [sha256.Size]byte, ok bool) {
	text = strings.TrimPrefix(strings.ToLower(text), "sha256:")
	raw, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	return sum, err == nil && copy(sum[:], raw) == len(sum) && len(raw) == len(sum)
}

// Config returns how to serve. The error names the file that cannot be used.
func (s *Server) Config() (*tls.Config, error) {
	load := func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(s.Certificate, s.Key)
		if err != nil {
			return nil, fmt.Errorf("cannot read the certificate: %w", err)
		}
		return &pair, nil
	}
	if _, err := load(); err != nil {
		return nil, err
	}
	config := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return load() },
	}
	if len(s.Clients) == 0 {
		return config, nil
	}
	var authority *x509.CertPool
	if s.Authority != "" {
		pem, err := os.ReadFile(s.Authority)
		if err != nil {
			return nil, fmt.Errorf("cannot read the authority: %w", err)
		}
		if authority = x509.NewCertPool(); !authority.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no certificate", s.Authority)
		}
	}
	config.ClientAuth = tls.RequireAnyClientCert
	// No tickets: who resumed a session would not be asked again.
	config.SessionTicketsDisabled = true
	config.VerifyConnection = func(state tls.ConnectionState) error { return s.admits(state, authority) }
	return config, nil
}

// errUnknownClient is what a client is told whose certificate is not listed.
var errUnknownClient = errors.New("the client's certificate is not among those that may connect")

// admits says whether a client may connect: by the fingerprint of its certificate, or by a name in it if
// the authority signed it.
func (s *Server) admits(state tls.ConnectionState, authority *x509.CertPool) error {
	if len(state.PeerCertificates) == 0 {
		return errUnknownClient
	}
	leaf := state.PeerCertificates[0]
	sum := sha256.Sum256(leaf.Raw)
	var names []string
	for _, client := range s.Clients {
		if listed, ok := fingerprint(client); !ok {
			names = append(names, client)
		} else if listed == sum {
			return nil
		}
	}
	if authority == nil || len(names) == 0 {
		return errUnknownClient
	}
	between := x509.NewCertPool()
	for _, certificate := range state.PeerCertificates[1:] {
		between.AddCert(certificate)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{
		Roots: authority, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}); err != nil {
		return fmt.Errorf("%w: %w", errUnknownClient, err)
	}
	if slices.ContainsFunc(names, func(name string) bool { return leaf.VerifyHostname(name) == nil || leaf.Subject.CommonName == name }) {
		return nil
	}
	return errUnknownClient
}
