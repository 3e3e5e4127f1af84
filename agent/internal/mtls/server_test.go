package mtls

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	made := a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	a.cert, a.key = made.Leaf, made.PrivateKey.(*ecdsa.PrivateKey)
	return a
}

// sign makes a certificate, its own one if the authority has none yet.
func (a *authority) sign(template *x509.Certificate) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, by := a.cert, a.key
	if parent == nil {
		parent, by = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// client signs a client's certificate for a name.
func (a *authority) client(name string) tls.Certificate {
	return a.sign(&x509.Certificate{DNSNames: []string{name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

// write writes PEM files of a certificate and its key.
func write(t *testing.T, path string, c tls.Certificate) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for suffix, block := range map[string]*pem.Block{
		".pem": {Type: "CERTIFICATE", Bytes: c.Certificate[0]}, ".key": {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(path+suffix, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func fingerprintOf(c tls.Certificate) string {
	sum := sha256.Sum256(c.Certificate[0])
	return hex.EncodeToString(sum[:])
}

// served is a server whose certificate and authority are files.
func served(t *testing.T, owner *authority, clients ...string) *Server {
	t.Helper()
	path := filepath.Join(t.TempDir(), "server")
	write(t, path, owner.sign(&x509.Certificate{DNSNames: []string{"pi"}}))
	write(t, path+"-ca", tls.Certificate{Certificate: [][]byte{owner.cert.Raw}, PrivateKey: owner.key})
	return &Server{Certificate: path + ".pem", Key: path + ".key", Authority: path + "-ca.pem", Clients: clients}
}

// connect connects to a server and returns what it says of the connection, and what the client sees.
func connect(t *testing.T, s *Server, client *tls.Config) (seen tls.ConnectionState, refused error) {
	t.Helper()
	config, err := s.Config()
	if err != nil {
		t.Fatal(err)
	}
	return connectTo(t, config, client)
}

func connectTo(t *testing.T, config, client *tls.Config) (seen tls.ConnectionState, refused error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	result := make(chan error, 1)
	go func() {
		accepted, err := listener.Accept()
		if err != nil {
			result <- err
			return
		}
		defer accepted.Close()
		conn := tls.Server(accepted, config)
		if err = conn.Handshake(); err == nil {
			_, err = conn.Write([]byte("!"))
		}
		result <- err
	}()
	dialled, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer dialled.Close()
	client = client.Clone()
	client.InsecureSkipVerify, client.ServerName = true, "pi" // the server's certificate is not what is asked here
	conn := tls.Client(dialled, client)
	_, _ = conn.Read(make([]byte, 1)) // what is wrong the server says
	refused = <-result
	return conn.ConnectionState(), refused
}

func TestOnlyListedClientsConnect(t *testing.T) {
	t.Parallel()
	owner, other := newAuthority(t), newAuthority(t)
	listed, stranger := other.client("anybody"), other.client("anybody")
	sum := strings.ToUpper(fingerprintOf(listed))
	var byColons []string
	for pair := range slices.Chunk([]byte(sum), 2) {
		byColons = append(byColons, string(pair))
	}
	forServers := owner.sign(&x509.Certificate{DNSNames: []string{"web1"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	byCommonName := owner.sign(&x509.Certificate{Subject: pkix.Name{CommonName: "web1"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	for _, test := range []struct {
		name    string
		clients []string
		shown   []tls.Certificate
		admit   bool
	}{
		{"anybody where none are listed", nil, nil, true},
		{"nobody without a certificate", []string{"web1"}, nil, false},
		{"by fingerprint", []string{fingerprintOf(listed)}, []tls.Certificate{listed}, true},
		{"by fingerprint, as openssl prints it", []string{"sha256:" + strings.Join(byColons, ":")}, []tls.Certificate{listed}, true},
		{"another fingerprint", []string{fingerprintOf(listed)}, []tls.Certificate{stranger}, false},
		{"by name", []string{"web1"}, []tls.Certificate{owner.client("web1")}, true},
		{"by common name", []string{"web1"}, []tls.Certificate{byCommonName}, true},
		{"another name", []string{"web1"}, []tls.Certificate{owner.client("web2")}, false},
		{"the name, signed by somebody else", []string{"web1"}, []tls.Certificate{other.client("web1")}, false},
		{"the name, but not for clients", []string{"web1"}, []tls.Certificate{forServers}, false},
		{"signed by the authority, but only fingerprints are listed", []string{fingerprintOf(listed)}, []tls.Certificate{owner.client("web1")}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := connect(t, served(t, owner, test.clients...), &tls.Config{Certificates: test.shown})
			if admitted := err == nil; admitted != test.admit {
				t.Errorf("admitted: %v, want %v (%v)", admitted, test.admit, err)
			}
			if !test.admit && len(test.shown) > 0 && !errors.Is(err, errUnknownClient) {
				t.Errorf("refused for another reason: %v", err)
			}
		})
	}
}

// Whoever resumes a session shows no certificate again, so none is resumed.
func TestEachConnectionIsAsked(t *testing.T) {
	t.Parallel()
	owner := newAuthority(t)
	config, err := served(t, owner, "web1").Config()
	if err != nil {
		t.Fatal(err)
	}
	client := &tls.Config{Certificates: []tls.Certificate{owner.client("web1")}, ClientSessionCache: tls.NewLRUClientSessionCache(2)}
	for range 2 {
		if seen, err := connectTo(t, config, client); err != nil || seen.DidResume {
			t.Errorf("resumed: %v; %v", seen.DidResume, err)
		}
	}
}

func TestRenewedCertificateIsInUse(t *testing.T) {
	t.Parallel()
	owner := newAuthority(t)
	s := served(t, owner)
	config, err := s.Config()
	if err != nil {
		t.Fatal(err)
	}
	renewed := owner.sign(&x509.Certificate{DNSNames: []string{"pi"}})
	write(t, strings.TrimSuffix(s.Certificate, ".pem"), renewed)
	if seen, err := connectTo(t, config, &tls.Config{}); err != nil || !seen.PeerCertificates[0].Equal(renewed.Leaf) {
		t.Errorf("the old certificate is still shown; %v", err)
	}
	if _, err := connectTo(t, config, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
}

func TestConfigNamesTheFile(t *testing.T) {
	t.Parallel()
	owner := newAuthority(t)
	for _, spoil := range []func(s *Server) string{
		func(s *Server) string { s.Certificate += ".gone"; return s.Certificate },
		func(s *Server) string { s.Authority += ".gone"; return s.Authority },
		func(s *Server) string { s.Authority = s.Key; return s.Authority },
	} {
		s := served(t, owner, "web1")
		file := spoil(s)
		if _, err := s.Config(); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("got %v, want an error that names %s", err, file)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	sum := strings.Repeat("ab", sha256.Size)
	for _, test := range []struct {
		server    Server
		encrypted bool
		wrong     string // fields
	}{
		{Server{}, false, ""},
		{Server{Certificate: "c", Key: "k"}, true, ""},
		{Server{Certificate: "c"}, true, "certificate"},
		{Server{Key: "k"}, true, "certificate"},
		{Server{Certificate: "c", Key: "k"}, false, "certificate"},
		{Server{Authority: "a"}, false, "certificate"},
		{Server{Clients: []string{sum}}, false, "certificate"},
		{Server{Certificate: "c", Key: "k", Clients: []string{"SHA256:" + sum, "web1"}}, true, "clients[1]"},
		{Server{Certificate: "c", Key: "k", Clients: []string{sum[2:]}}, true, "clients[0]"},
		{Server{Certificate: "c", Key: "k", Authority: "a", Clients: []string{"web1"}}, true, ""},
	} {
		var wrong []string
		test.server.Check(test.encrypted, func(field string, _ any, problem string) { wrong = append(wrong, field) })
		if got := fmt.Sprint(wrong); got != fmt.Sprint(strings.Fields(test.wrong)) {
			t.Errorf("%+v, encrypted: %v: wrong are %s, want [%s]", test.server, test.encrypted, got, test.wrong)
		}
	}
}
