package notices

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/pialert/pialert/packaging/demo/program"
)

// rule tells of SSH logins by the channel named mail.
const rule = `  rules:
    - {to: [mail], when: {families: [ssh]}}
  at_most: "10 per 10s"
`

// One failed login becomes one mail in the box of a real mail server.
func TestMailToARealServer(t *testing.T) {
	t.Parallel()
	box := filepath.Join(t.TempDir(), "box")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	server, err := program.Start(exec.Command("/usr/bin/python3", "-m", "aiosmtpd", "-n", "-l", address, "-c", "aiosmtpd.handlers.Mailbox", box))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Kill)
	h := settle(t, fmt.Sprintf("  channels:\n    - {name: mail, smtp: {server: %q, tls: none, from: pi@example.org, to: [me@example.org]}}\n%s", address, rule), nil)
	h.must(program.Poll(h.ctx, func() error {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err
	}))
	h.attack("root", 1)
	if all := h.await(); len(all) != 1 || all[0].State != "delivered" || !strings.HasPrefix(all[0].Answer, "OK") {
		t.Errorf("outbox %+v", all)
	}
	files, err := filepath.Glob(filepath.Join(box, "new", "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%d mails, %v", len(files), err)
	}
	file, err := os.Open(files[0])
	h.must(err)
	defer file.Close()
	got, err := mail.ReadMessage(file)
	h.must(err)
	if subject := got.Header.Get("Subject"); subject != `1 failed SSH login of "root" from 203.0.113.7 on vps` {
		t.Errorf("subject %q", subject)
	}
}

// server is a mail server that wants TLS and a login, and refuses some recipients first.
type server struct {
	mu         sync.Mutex
	greylisted int // attempts that it still refuses for now
	ids        []string
}

func (s *server) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &session{server: s, conn: c}, nil
}

type session struct {
	*server
	conn  *smtp.Conn
	login bool
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if _, encrypted := s.conn.TLSConnectionState(); !encrypted || user != "pi" || password != "between us" {
			return smtp.ErrAuthFailed
		}
		s.login = true
		return nil
	}), nil
}

func (s *session) Mail(string, *smtp.MailOptions) error {
	if !s.login {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (s *session) Rcpt(string, *smtp.RcptOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.greylisted > 0 {
		s.greylisted--
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "greylisted"}
	}
	return nil
}

func (s *session) Data(r io.Reader) error {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, m.Body); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids = append(s.ids, m.Header.Get("Message-Id"))
	return nil
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

// certificate makes one for 127.0.0.1 that ends at a moment, and its PEM.
func certificate(t *testing.T, until time.Time) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: until.AddDate(-1, 0, 0), NotAfter: until, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// serve starts a mail server with a certificate, with TLS from the first byte or by STARTTLS.
func serve(t *testing.T, s *server, cert tls.Certificate, implicit bool) (address string) {
	t.Helper()
	config := &tls.Config{Certificates: []tls.Certificate{cert}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	front := smtp.NewServer(s)
	front.TLSConfig, front.Domain, front.ErrorLog = config, "mx.example.org", log.New(io.Discard, "", 0)
	served := listener
	if implicit {
		served = tls.NewListener(listener, config)
	}
	go front.Serve(served)
	t.Cleanup(func() { front.Close() })
	return listener.Addr().String()
}

func TestMailWithTLSAndLogin(t *testing.T) {
	t.Parallel()
	cert, roots := certificate(t, time.Now().AddDate(0, 1, 0))
	for _, way := range []string{"starttls", "implicit"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			s := &server{greylisted: 1}
			address := serve(t, s, cert, way == "implicit")
			h := settle(t, fmt.Sprintf("  channels:\n    - {name: mail, smtp: {server: %q, tls: %s, from: pi@example.org, to: [me@example.org], user: pi, password_file: password}}\n%s",
				address, way, rule), map[string][]byte{"roots.pem": roots, "password": []byte("between us\n")})
			h.attack("root", 3)
			all := h.await()
			if len(all) != 1 || all[0].State != "delivered" || all[0].Attempts != 2 { // greylisted once
				t.Errorf("outbox %+v", all)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if len(s.ids) != 1 || s.ids[0] != fmt.Sprintf("<notice%d@example.org>", all[0].ID) {
				t.Errorf("mails %q", s.ids)
			}
		})
	}
}

// A certificate that has ended, and a wrong password, are told to whoever tests the channel; the
// password is not.
func TestATestOfAChannelSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	ended, endedRoots := certificate(t, time.Now().AddDate(0, 0, -1))
	good, goodRoots := certificate(t, time.Now().AddDate(0, 1, 0))
	one, two := serve(t, &server{}, ended, false), serve(t, &server{}, good, false)
	h := settle(t, fmt.Sprintf(`  channels:
    - {name: ended, smtp: {server: %q, from: pi@example.org, to: [me@example.org]}}
    - {name: login, smtp: {server: %q, from: pi@example.org, to: [me@example.org], user: pi, password_file: password}}
`, one, two), map[string][]byte{"roots.pem": append(endedRoots, goodRoots...), "password": []byte("SECRET\n")})
	for name, want := range map[string]string{"ended": "expired", "login": "535"} {
		out, err := h.Display(h.ctx, "notices", "test", name)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error()+out, "SECRET") {
			t.Errorf("%s: %q, %v; want %q", name, out, err, want)
		}
	}
}
