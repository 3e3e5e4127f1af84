package pairing

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync/atomic"
)

// The protocols, as the TLS handshake negotiates them (ALPN, RFC 7301).
const (
	protocolDeliver = "pialert/1"      // between paired machines
	protocolJoin    = "pialert-join/1" // redeems a token
)

// Errors of handshakes.
var (
	errForeign = errors.New("it does not speak this protocol")

	// ErrWrongKey is returned at the end that dials when another key answers than the one that
	// is pinned.
	ErrWrongKey = errors.New("another key answered than the paired one")
)

// baseConfig is what both ends have in common. Chains and dates are not verified, because there
// are none: VerifyConnection pins the key instead, on every connection, and nothing is resumed.
func baseConfig(own *identity, protocol string, verify func(Fingerprint) error) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             []string{protocol},
		Certificates:           []tls.Certificate{own.certificate},
		ClientAuth:             tls.RequireAnyClientCert,
		InsecureSkipVerify:     true,
		SessionTicketsDisabled: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			key, err := remoteKey(state)
			if err != nil {
				return err
			}
			return verify(key)
		},
	}
}

// remoteKey returns the key that the other end has proved to hold.
func remoteKey(state tls.ConnectionState) (Fingerprint, error) {
	if len(state.PeerCertificates) == 0 {
		return Fingerprint{}, errors.New("it shows no key")
	}
	leaf := state.PeerCertificates[0]
	if leaf.PublicKeyAlgorithm != x509.Ed25519 {
		return Fingerprint{}, fmt.Errorf("its key is of type %s, not Ed25519", leaf.PublicKeyAlgorithm)
	}
	return fingerprintOf(leaf), nil
}

// client returns the dialling end of a connection to a machine with one of the expected keys.
func (s *keys) client(conn net.Conn, protocol string, expected ...Fingerprint) *tls.Conn {
	return tls.Client(conn, baseConfig(s.own, protocol, func(key Fingerprint) error {
		if key.IsZero() || !slices.Contains(expected, key) {
			return fmt.Errorf("%w: %s", ErrWrongKey, key)
		}
		return nil
	}))
}

// server returns the listening end of a connection. It stays silent until the other end has
// asked for one of our protocols. Whether any token can be redeemed changes nothing that it does, or
// whoever knocks could learn when to listen for one.
func (k *Keyring) server(conn net.Conn) (*tls.Conn, *gate) {
	gate := &gate{Conn: conn}
	return tls.Server(gate, &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			if !slices.Contains(hello.SupportedVersions, tls.VersionTLS13) || len(hello.SupportedProtos) != 1 {
				return nil, errForeign
			}
			protocol, verify := hello.SupportedProtos[0], k.verifyPaired
			switch protocol {
			case protocolDeliver:
			case protocolJoin:
				verify = func(Fingerprint) error { return nil } // the token's secret is asked for next
			default:
				return nil, errForeign
			}
			own := k.snapshot().own
			gate.own = own.fingerprint
			gate.open.Store(true)
			return baseConfig(own, protocol, verify), nil
		},
	}), gate
}

func (k *Keyring) verifyPaired(key Fingerprint) error {
	if state := k.snapshot(); state.byKey(key) < 0 {
		return fmt.Errorf("its key %s is %w", key, ErrNotPaired)
	}
	return nil
}

// gate swallows what is written to a connection until it is open, so that TLS does not answer
// noise with an alert.
type gate struct {
	net.Conn
	open atomic.Bool
	own  Fingerprint // the key that was shown; set before the gate opens
}

func (g *gate) Write(p []byte) (int, error) {
	if !g.open.Load() {
		return len(p), nil
	}
	return g.Conn.Write(p)
}
