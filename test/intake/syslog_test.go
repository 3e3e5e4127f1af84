package intake

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/packaging/demo/program"
)

// certificate makes a key and a certificate of a name, signed by itself, in files of that name.
func (s *server) certificate(name string) {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s.must(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	s.must(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	s.must(err)
	s.must(os.WriteFile(s.path(name+".crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), 0o644))
	s.must(os.WriteFile(s.path(name+".key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
}

const listeners = `logs: [{path: LOGS/none.log}]
syslog:
  - {listen: "udp://127.0.0.1:5514", host: header}
  - {listen: "tcp://127.0.0.1:5601", host: header}
  - {listen: "tls://127.0.0.1:5614", host: header, certificate: DIR/server.crt, key: DIR/server.key, authority: DIR/web2.crt, clients: [web2]}
  - {listen: "unixgram://DIR/log"}
`

// want waits until each listener has read so many messages, and the agent found an attempt in each.
func (s *server) want(lines map[string]uint64) {
	s.t.Helper()
	var last status
	s.poll(func() (err error) {
		if last, err = s.status(); err != nil {
			return err
		}
		total := uint64(0)
		for _, source := range last.Sources {
			n := lines[strings.SplitN(source.Source, ":", 2)[0]]
			if total += n; source.Network != nil && source.Lines != n {
				return fmt.Errorf("%s has %d lines, want %d", source.Source, source.Lines, n)
			}
		}
		if last.Kinds["ssh_login"] != total {
			return fmt.Errorf("%d logins were found, want %d", last.Kinds["ssh_login"], total)
		}
		return nil
	})
	for _, source := range last.Sources {
		if n := source.Network; n != nil && n.Refused+n.Unparsed+n.Truncated+n.Empty+n.Dropped > 0 {
			s.t.Errorf("%s: %+v", source.Source, *n)
		}
	}
}

// failed is a message that is an attempt of its own connection.
func failed(n int) string {
	return fmt.Sprintf("Failed password for root from 203.0.113.7 port %d ssh2", 2000+n)
}

// certificates makes those of the listener and of a client.
func certificates(s *server) {
	s.certificate("server")
	s.certificate("web2")
	s.certificate("stranger")
}

const rsyslogConf = `module(load="imuxsock")
$RepeatedMsgReduction off
$WorkDirectory /run
global(defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="DIR/server.crt"
	defaultNetstreamDriverCertFile="DIR/web2.crt" defaultNetstreamDriverKeyFile="DIR/web2.key")
template(name="octets" type="string" string="<%PRI%>%TIMESTAMP:::date-rfc3339% %HOSTNAME% %syslogtag%%msg:::sp-if-no-1st-sp%%msg%")
auth.* action(type="omfwd" target="127.0.0.1" port="5514" protocol="udp")
auth.* action(type="omfwd" target="127.0.0.1" port="5514" protocol="udp" template="RSYSLOG_SyslogProtocol23Format")
auth.* action(type="omfwd" target="127.0.0.1" port="5601" protocol="tcp" template="RSYSLOG_TraditionalForwardFormat")
auth.* action(type="omfwd" target="127.0.0.1" port="5601" protocol="tcp" template="octets" TCP_Framing="octet-counted")
auth.* action(type="omfwd" target="127.0.0.1" port="5614" protocol="tcp" StreamDriver="gtls" StreamDriverMode="1" StreamDriverAuthMode="anon")
`

// TestRsyslog lets a real rsyslogd forward by every protocol and framing that it has. Every message is counted:
// the senders write each as of a process of its own.
func TestRsyslog(t *testing.T) {
	t.Parallel()
	s := bootInside(t, listeners, certificates)
	s.must(os.WriteFile(s.Log("rsyslog.conf"), []byte(strings.ReplaceAll(rsyslogConf, "DIR", s.dir)), 0o644))
	_, err := program.Start(s.Program("/usr/sbin/rsyslogd", "-n", "-f", "/var/log/rsyslog.conf", "-i", "/run/rsyslogd.pid"))
	s.must(err)
	s.poll(func() error { return s.Command(s.ctx, "test", "-S", "/dev/log").Run() })
	const messages = 20
	for i := range messages {
		// As of five processes: each copy of the message is an attempt of its own to the agent only then.
		s.must(s.Command(s.ctx, "logger", "-p", "auth.info", "-t", "sshd", fmt.Sprintf("--id=%d", 100+i), failed(i)).Run())
	}
	s.want(map[string]uint64{"udp": 2 * messages, "tcp": 2 * messages, "tls": messages})
	found, err := s.status()
	if err != nil || len(found.Hosts) != 1 || found.Hosts["vps"] == 0 {
		t.Errorf("the machines are %v, %v, want that of the messages' header", found.Hosts, err)
	}

	// Who has another certificate gets nowhere.
	client := exec.Command("openssl", "s_client", "-connect", "127.0.0.1:5614", "-cert", s.path("stranger.crt"), "-key", s.path("stranger.key"), "-quiet")
	client = s.Command(s.ctx, client.Path, client.Args[1:]...)
	client.Stdin = strings.NewReader("<38>Nov 20 12:00:00 web sshd[7]: " + failed(1) + "\n")
	client.Run()
	s.poll(func() error {
		found, err := s.status()
		for _, source := range found.Sources {
			if strings.HasPrefix(source.Source, "tls") && source.Network.Refused == 1 && source.Lines == messages {
				return nil
			}
		}
		return fmt.Errorf("a stranger by TLS: %+v, %v", found.Sources, err)
	})
}

// TestLogger lets util-linux' logger and busybox' send in every form that they have.
func TestLogger(t *testing.T) {
	t.Parallel()
	s := bootInside(t, listeners, certificates)
	n := 0
	send := func(name string, args ...string) {
		t.Helper()
		n++
		s.must(s.Command(s.ctx, name, append(args, failed(n))...).Run())
	}
	for _, form := range [][]string{{"--rfc3164"}, {"--rfc5424"}, {"--rfc5424=notime,nohost"}, {}} {
		base := append([]string{"-p", "auth.info", "-t", "sshd", fmt.Sprintf("--id=%d", 100+n)}, form...)
		send("logger", append(base, "-n", "127.0.0.1", "-P", "5514", "-d")...)
		base[4] = fmt.Sprintf("--id=%d", 200+n)
		send("logger", append(base, "-n", "127.0.0.1", "-P", "5601", "-T")...)
		base[4] = fmt.Sprintf("--id=%d", 300+n)
		send("logger", append(base, "-n", "127.0.0.1", "-P", "5601", "-T", "--octet-count")...)
	}
	send("logger", "-p", "auth.info", "-t", "sshd", "--id=99", "-u", s.path("log"))

	// busybox' syslogd has /dev/log and sends what comes in there, as OpenWrt and small devices do.
	_, err := program.Start(s.Program("busybox", "syslogd", "-n", "-R", "127.0.0.1:5514", "-L"))
	s.must(err)
	s.poll(func() error { return s.Command(s.ctx, "test", "-S", "/dev/log").Run() })
	for i := range 5 {
		send("busybox", "logger", "-p", "auth.info", "-t", fmt.Sprintf("sshd[%d]", 400+i))
	}
	s.want(map[string]uint64{"udp": 4 + 5, "tcp": 8, "unixgram": 1})
}
