package notices

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net"
	"net/mail"
	"net/smtp"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pialert/pialert/packaging/demo/program"
)

// postfix is a running one whose configuration, queue, box and log are of a folder of its own.
type postfix struct{ dir, address string }

// Its services: what a submission by STARTTLS and a box need.
const master = `127.0.0.1:%[1]s inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
`

const mainConfig = `compatibility_level = 3.6
config_directory = %[1]s
queue_directory = %[1]s/spool
data_directory = %[1]s/lib
maillog_file = %[1]s/mail.log
maillog_file_prefixes = %[1]s
myhostname = mx.example.org
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
virtual_mailbox_domains = example.org
virtual_mailbox_base = %[1]s/box
virtual_mailbox_maps = static:me/
virtual_uid_maps = static:%[2]s
virtual_gid_maps = static:%[3]s
virtual_minimum_uid = 1
smtpd_tls_cert_file = %[1]s/cert.pem
smtpd_tls_key_file = %[1]s/key.pem
smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = %[1]s/auth
smtpd_relay_restrictions = permit_sasl_authenticated, reject
`

// startPostfix starts Debian's postfix, which demands STARTTLS and the login of pi, and returns it with
// the certificate that it is known by.
func startPostfix(t *testing.T) (*postfix, []byte) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir, err := os.MkdirTemp("", "postfix")
	must(err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(os.Chmod(dir, 0o755)) // its processes have users of their own
	owner, err := user.Lookup("postfix")
	must(err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	p := &postfix{dir: dir, address: listener.Addr().String()}
	listener.Close()
	_, port, err := net.SplitHostPort(p.address)
	must(err)
	cert, roots := certificate(t, time.Now().AddDate(0, 1, 0))
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	must(err)
	uid, err := strconv.Atoi(owner.Uid)
	must(err)
	gid, err := strconv.Atoi(owner.Gid)
	must(err)
	for _, folder := range []string{"spool", "lib", "box"} {
		must(os.Mkdir(filepath.Join(dir, folder), 0o755))
	}
	for _, folder := range []string{"lib", "box"} {
		must(os.Chown(filepath.Join(dir, folder), uid, gid))
	}
	for name, text := range map[string]string{
		"master.cf": fmt.Sprintf(master, port), "main.cf": fmt.Sprintf(mainConfig, dir, owner.Uid, owner.Gid),
		"cert.pem": string(roots), "key.pem": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})), "mail.log": "",
	} {
		must(os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	p.authenticate(t)
	server, err := program.Start(exec.Command("/usr/sbin/postfix", "-c", dir, "start-fg"))
	must(err)
	t.Cleanup(func() {
		exec.Command("/usr/sbin/postfix", "-c", dir, "stop").Run()
		server.Kill()
		if t.Failed() {
			text, _ := os.ReadFile(p.log())
			t.Logf("postfix wrote:\n%s%s", text, server.Stderr)
		}
	})
	must(program.Poll(t.Context(), func() error { // a connection without a mail would be an attack
		text, err := os.ReadFile(p.log())
		if err == nil && !bytes.Contains(text, []byte("daemon started")) {
			err = fmt.Errorf("postfix has not started yet: %s", text)
		}
		return err
	}))
	return p, roots
}

func (p *postfix) log() string { return filepath.Join(p.dir, "mail.log") }

// authenticate answers postfix' questions who may log in, by Dovecot's protocol for it (its
// doc/auth-protocol.txt): pi, between us.
func (p *postfix) authenticate(t *testing.T) {
	t.Helper()
	path := filepath.Join(p.dir, "auth")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				fmt.Fprintf(conn, "VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t%032x\nDONE\n", 1)
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					words := strings.Split(lines.Text(), "\t")
					if words[0] != "AUTH" {
						continue
					}
					_, response, _ := strings.Cut(lines.Text(), "resp=")
					said, _ := base64.StdEncoding.DecodeString(response)
					if bytes.Equal(said, []byte("\x00pi\x00between us")) {
						fmt.Fprintf(conn, "OK\t%s\tuser=pi\n", words[1])
					} else {
						fmt.Fprintf(conn, "FAIL\t%s\tuser=pi\n", words[1])
					}
				}
			}()
		}
	}()
}

// mails are those in the box.
func (p *postfix) mails(t *testing.T) (all []*mail.Message) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(p.dir, "box/me/new/*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		m, err := mail.ReadMessage(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// alone takes the rest of the test, and all that it starts, to a network of its own, which has the loopback alone.
func alone(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // for good: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("this test needs root: %v", err)
	}
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// Mail goes by a real postfix with STARTTLS and a login. The agent follows the log of that very postfix,
// and the rules tell of everything: a wrong password there is told, and what postfix writes of the notices
// makes no further one.
func TestMailByAPostfixWhoseLogIsFollowed(t *testing.T) {
	t.Parallel()
	alone(t)
	p, roots := startPostfix(t)
	h := settle(t, fmt.Sprintf(`  channels:
    - {name: mail, smtp: {server: %q, from: pi@example.org, to: [me@example.org], user: pi, password_file: password}}
  rules:
    - {to: [mail], when: {severity: info}}
  at_most: "10 per 1s"
`, p.address), map[string][]byte{"roots.pem": roots, "password": []byte("between us\n")}, p.log())
	out, err := h.Display(h.ctx, "notices", "test", "mail")
	if err != nil || !strings.Contains(out, "queued as") {
		t.Fatalf("the test says %q, error %v", out, err)
	}
	h.attack("root", 1)
	told := func(n int) {
		t.Helper()
		h.must(program.Poll(h.ctx, func() error {
			all, err := h.outbox()
			if err == nil && (len(all) != n || all[0].State != "delivered") {
				err = fmt.Errorf("the outbox is %+v, want %d messages", all, n)
			}
			return err
		}))
	}
	told(1)
	// Somebody tries a password, after postfix has written about the notice.
	client, err := smtp.Dial(p.address)
	h.must(err)
	defer client.Close()
	h.must(client.StartTLS(h.trusting(roots)))
	said, err := client.Text.Cmd("AUTH PLAIN %s", base64.StdEncoding.EncodeToString([]byte("\x00pi\x00guessed")))
	h.must(err)
	client.Text.StartResponse(said)
	if _, _, err := client.Text.ReadResponse(535); err != nil {
		t.Fatalf("postfix answered a wrong password with %v", err)
	}
	client.Text.EndResponse(said)
	h.must(client.Quit())
	told(2)
	// All that postfix wrote of both is read once it has removed the last from its queue.
	h.must(program.Poll(h.ctx, func() error {
		text, err := os.ReadFile(p.log())
		if err != nil {
			return err
		}
		if n := bytes.Count(text, []byte(": removed")); n != 3 { // the test, and two notices
			return fmt.Errorf("postfix has removed %d messages from its queue", n)
		}
		status, err := h.AgentStatus(h.ctx)
		if err != nil {
			return err
		}
		lines := uint64(0)
		for _, source := range status.Sources {
			if source.Path == p.log() {
				lines = source.Lines
			}
		}
		if written := bytes.Count(text, []byte("\n")); lines != uint64(written) || status.Spool.Waiting > 0 {
			return fmt.Errorf("%d of %d lines are read, %d events wait", lines, written, status.Spool.Waiting)
		}
		return nil
	}))
	if all := h.await(); len(all) != 2 {
		t.Errorf("the outbox is %+v, want two messages", all)
	}
	mails := p.mails(t)
	if len(mails) != 3 {
		t.Fatalf("%d mails came, want the test's and two", len(mails))
	}
	for _, m := range mails {
		if m.Header.Get("Auto-Submitted") != "auto-generated" || m.Header.Get("Message-Id") == "" || !strings.Contains(m.Header.Get("Received"), "SMTPSA") {
			t.Errorf("the header is %v", m.Header)
		}
	}
}
