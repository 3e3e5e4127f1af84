package detect

import (
	"strings"
	"testing"

	"github.com/pialert/pialert/pkg/attack"
)

// script is what daemons write about one connection, behind the host, and what it counts. PEER,
// PORT and PID stand for the connection's own.
type script struct {
	name          string
	logins, other uint64 // attempts that must be counted: ssh_login, and all other kinds
	lines         []string
}

// scripts are the shapes of connections that daemons log.
var scripts = []script{
	{"wrong password for root", 1, 0, []string{
		"sshd[PID]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=PEER  user=root",
		"sshd[PID]: Failed password for root from PEER port PORT ssh2",
		"sshd[PID]: Connection closed by authenticating user root PEER port PORT [preauth]",
	}},
	{"three passwords for an unknown user", 3, 0, []string{
		"sshd[PID]: Invalid user admin from PEER port PORT",
		"sshd[PID]: pam_unix(sshd:auth): check pass; user unknown",
		"sshd[PID]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=PEER",
		"sshd[PID]: Failed password for invalid user admin from PEER port PORT ssh2",
		"sshd[PID]: Failed password for invalid user admin from PEER port PORT ssh2",
		"sshd[PID]: Failed password for invalid user admin from PEER port PORT ssh2",
		"sshd[PID]: Connection closed by invalid user admin PEER port PORT [preauth]",
		"sshd[PID]: PAM 2 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=PEER",
	}},
	{"repeated by rsyslog", 6, 0, []string{
		"sshd[PID]: Failed password for root from PEER port PORT ssh2",
		"sshd[PID]: message repeated 5 times: [ Failed password for root from PEER port PORT ssh2]",
		"sshd[PID]: Disconnecting authenticating user root PEER port PORT: Too many authentication failures [preauth]",
		"sshd[PID]: PAM 5 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=PEER  user=root",
		"sshd[PID]: PAM service(sshd) ignoring max retries; 6 > 3",
	}},
	{"a login with OpenSSH 10, whose connection breaks", 0, 0, []string{
		"sshd-session[PID]: Accepted publickey for alice from PEER port PORT ssh2: ED25519 SHA256:0123456789",
		"sshd-session[PID]: pam_unix(sshd:session): session opened for user alice(uid=1000) by alice(uid=0)",
		"sshd-session[PID9]: Connection closed by PEER port PORT",
		"sshd-session[PID]: pam_unix(sshd:session): session closed for user alice",
	}},
	{"a stacked module, then a login", 0, 0, []string{
		"sshd[PID]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=PEER  user=alice",
		"sshd[PID]: Accepted password for alice from PEER port PORT ssh2",
		"sshd[PID]: pam_unix(sshd:session): session opened for user alice(uid=1000) by (uid=0)",
		"sshd[PID]: Received disconnect from PEER port PORT:11: disconnected by user",
		"sshd[PID]: Disconnected from user alice PEER port PORT",
	}},
	{"other keys, then a login", 0, 0, []string{
		"sshd[PID]: Connection from PEER port PORT on 198.51.100.1 port 22 rdomain \"\"",
		"sshd[PID]: Failed publickey for alice from PEER port PORT ssh2: RSA SHA256:0123456789",
		"sshd[PID]: Failed publickey for alice from PEER port PORT ssh2: ED25519 SHA256:0123456789",
		"sshd[PID]: Accepted publickey for alice from PEER port PORT ssh2: ECDSA SHA256:0123456789",
		"sshd[PID]: Connection closed by PEER port PORT",
	}},
	{"a wrong key only", 1, 0, []string{
		"sshd[PID]: Connection closed by authenticating user root PEER port PORT [preauth]",
	}},
	{"wrong keys with LogLevel VERBOSE", 1, 0, []string{
		"sshd[PID]: Failed publickey for root from PEER port PORT ssh2: RSA SHA256:0123456789",
		"sshd[PID]: Failed publickey for root from PEER port PORT ssh2: ED25519 SHA256:0123456789",
		"sshd[PID]: Connection closed by authenticating user root PEER port PORT [preauth]",
	}},
	{"wrong keys, then a wrong password", 1, 0, []string{
		"sshd[PID]: Failed publickey for root from PEER port PORT ssh2: RSA SHA256:0123456789",
		"sshd[PID]: Failed password for root from PEER port PORT ssh2",
		"sshd[PID]: Connection reset by authenticating user root PEER port PORT [preauth]",
	}},
	{"keyboard-interactive for an account", 2, 0, []string{
		"sshd[PID]: error: PAM: Authentication failure for root from PEER",
		"sshd[PID]: error: PAM: Authentication failure for root from PEER",
		"sshd[PID]: Connection closed by authenticating user root PEER port PORT [preauth]",
	}},
	{"keyboard-interactive for an unknown user", 1, 0, []string{
		"sshd[PID]: Invalid user pi from PEER port PORT",
		"sshd[PID]: error: PAM: Authentication failure for illegal user pi from PEER",
		"sshd[PID]: Failed keyboard-interactive/pam for invalid user pi from PEER port PORT ssh2",
		"sshd[PID]: Connection closed by invalid user pi PEER port PORT [preauth]",
	}},
	{"none only, for an unknown user", 1, 0, []string{
		"sshd[PID]: Invalid user 0 from PEER",
		"sshd[PID]: input_userauth_request: invalid user 0 [preauth]",
		"sshd[PID]: Failed none for invalid user 0 from PEER port PORT ssh2",
		"sshd[PID]: Connection closed by PEER [preauth]",
	}},
	{"not among AllowUsers", 1, 0, []string{
		"sshd[PID]: User root from PEER not allowed because not listed in AllowUsers",
		"sshd[PID]: Failed password for invalid user root from PEER port PORT ssh2",
		"sshd[PID]: Connection closed by invalid user root PEER port PORT [preauth]",
	}},
	{"a locked account", 1, 0, []string{
		"sshd[PID]: User backup not allowed because account is locked",
		"sshd[PID]: input_userauth_request: invalid user backup [preauth]",
		"sshd[PID]: error: Received disconnect from PEER: 11: Bye Bye [preauth]",
	}},
	{"an old client says goodbye", 1, 0, []string{
		"sshd[PID]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=PEER  user=root",
		"sshd[PID]: Connection closed by PEER [preauth]",
	}},
	{"a scan", 0, 1, []string{
		"sshd[PID]: Did not receive identification string from PEER port PORT",
	}},
	{"a web client", 0, 1, []string{
		"sshd[PID]: error: kex_exchange_identification: client sent invalid protocol identifier \"GET / HTTP/1.1\"",
		"sshd[PID]: banner exchange: Connection from PEER port PORT: invalid format",
	}},
	{"a client that leaves", 0, 1, []string{
		"sshd[PID]: error: kex_exchange_identification: Connection closed by remote host",
		"sshd[PID]: Connection closed by PEER port PORT",
	}},
	{"a client that says goodbye without a name", 0, 1, []string{
		"sshd[PID]: Received disconnect from PEER port PORT:11: Bye Bye [preauth]",
		"sshd[PID]: Disconnected from PEER port PORT [preauth]",
	}},
	{"a client that says goodbye after a key", 1, 0, []string{
		"sshd[PID]: Received disconnect from PEER port PORT:11: Bye Bye [preauth]",
		"sshd[PID]: Disconnected from authenticating user root PEER port PORT [preauth]",
	}},
	{"no common algorithm", 0, 1, []string{
		"sshd[PID]: Unable to negotiate with PEER port PORT: no matching host key type found. Their offer: ssh-dss [preauth]",
		"sshd[PID]: Connection closed by PEER port PORT [preauth]",
	}},
	{"timeout, as the listener tells it", 1, 0, []string{
		"sshd-session[PID]: Failed password for root from PEER port PORT ssh2",
		"sshd[3]: Timeout before authentication for connection from PEER to 198.51.100.1, pid = PID",
	}},
	{"a name that is a whole line", 1, 0, []string{
		"sshd[PID]: Invalid user root from 203.0.113.9 port 22 ssh2 from PEER port PORT",
		"sshd[PID]: Failed password for invalid user root from 203.0.113.9 port 22 ssh2 from PEER port PORT ssh2",
		"sshd[PID]: Connection closed by invalid user root from 203.0.113.9 port 22 ssh2 PEER port PORT [preauth]",
	}},
	{"sudo", 0, 3, []string{
		"sudo[PID]: pam_unix(sudo:auth): authentication failure; logname=bob uid=1000 euid=0 tty=/dev/pts/1 ruser=bob rhost=  user=bob",
		"sudo[PID]:      bob : 3 incorrect password attempts ; TTY=pts/1 ; PWD=/home/bob ; USER=root ; COMMAND=/usr/bin/id",
	}},
	{"dropbear", 2, 0, []string{
		"dropbear[PID]: Child connection from PEER:PORT",
		"dropbear[PID]: Bad password attempt for 'root' from PEER:PORT",
		"dropbear[PID]: Bad password attempt for 'root' from PEER:PORT",
		"dropbear[PID]: Exit before auth from <PEER:PORT>: (user 'root', 2 fails): Exited normally",
	}},
	{"postfix", 0, 2, []string{
		"postfix/smtpd[PID]: connect from unknown[PEER]",
		"postfix/smtpd[PID]: warning: unknown[PEER]: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
		"postfix/smtpd[PID]: warning: unknown[PEER]: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
		"postfix/smtpd[PID]: disconnect from unknown[PEER] ehlo=1 auth=0/2 quit=1 commands=2/4",
	}},
	{"postfix, which asks dovecot, which asks PAM", 0, 2, []string{
		"postfix/smtpd[PID]: connect from unknown[PEER]",
		"auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=eve rhost=PEER",
		"postfix/smtpd[PID]: warning: unknown[PEER]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=eve",
		"postfix/smtpd[PID]: warning: unknown[PEER]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=bob",
		"auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=bob rhost=PEER",
		"postfix/smtpd[PID]: lost connection after AUTH from unknown[PEER]",
		"postfix/smtpd[PID]: disconnect from unknown[PEER] ehlo=1 auth=0/2 commands=1/3",
	}},
	{"exim, which asks dovecot", 0, 2, []string{
		"dovecot: auth-worker(8): pam(eve,PEER): pam_authenticate() failed: Authentication failure (password mismatch?)",
		"exim[PID]: dovecot_login authenticator failed for (x) [PEER]: 535 Incorrect authentication data (set_id=eve)",
		"exim[PID]: dovecot_login authenticator failed for (x) [PEER]: 535 Incorrect authentication data (set_id=bob)",
		"dovecot: auth-worker(8): pam(bob,PEER): pam_authenticate() failed: Authentication failure (password mismatch?)",
	}},
	{"PAM without the service, for two daemons", 1, 1, []string{
		"sshd[PID]: (pam_unix) authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=PEER  user=root",
		"proftpd: (pam_unix) authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=PEER  user=mark",
	}},
	{"vsftpd, its protocol log and PAM", 0, 2, []string{
		"vsftpd[PID]: pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser=eve rhost=PEER",
		"vsftpd[PID]: [eve] FAIL LOGIN: Client \"PEER\"",
		"vsftpd[PID]: [eve] FTP response: Client \"PEER\", \"530 Login incorrect.\"",
		"vsftpd[PID]: [bob] FAIL LOGIN: Client \"PEER\"",
		"vsftpd[PID]: [bob] FTP response: Client \"PEER\", \"530 Login incorrect.\"",
	}},
	{"OpenVPN, a wrong password", 0, 1, []string{
		"openvpn[3]: PEER:PORT TLS: Initial packet from [AF_INET]PEER:PORT, sid=01234567 89abcdef",
		"openvpn[3]: PEER:PORT PLUGIN_CALL: POST /usr/lib/openvpn/openvpn-plugin-auth-pam.so/PLUGIN_AUTH_USER_PASS_VERIFY status=1",
		"openvpn[3]: PEER:PORT TLS Auth Error: Auth Username/Password verification failed for peer",
		"openvpn[3]: PEER:PORT [eve] Peer Connection Initiated with [AF_INET]PEER:PORT",
		"openvpn[3]: PEER:PORT SENT CONTROL [eve]: 'AUTH_FAILED' (status=1)",
		"openvpn[3]: PEER:PORT SIGTERM[soft,delayed-exit] received, client-instance exiting",
	}},
	{"OpenVPN, a wrong password that PAM tells of, too", 0, 1, []string{
		"openvpn[9]: pam_unix(openvpn:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=PEER  user=alice",
		"openvpn[3]: PEER:PORT PLUGIN_CALL: POST /usr/lib/openvpn/openvpn-plugin-auth-pam.so/PLUGIN_AUTH_USER_PASS_VERIFY status=1",
		"openvpn[3]: PEER:PORT TLS Auth Error: Auth Username/Password verification failed for peer",
		"openvpn[3]: PEER:PORT SENT CONTROL [eve]: 'AUTH_FAILED' (status=1)",
	}},
	{"UW imapd with PAM", 0, 2, []string{
		"imapd[PID]: pam_unix(imap:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=PEER  user=root",
		"imapd[PID]: Login failed user=root auth=root host=[PEER]",
		"imapd[PID]: Login failed user=nobody auth=nobody host=[PEER]",
	}},
	{"OpenVPN, a wrong certificate twice", 0, 2, []string{
		"openvpn[3]: PEER:PORT TLS: Initial packet from [AF_INET]PEER:PORT, sid=01234567 89abcdef",
		"openvpn[3]: PEER:PORT VERIFY ERROR: depth=0, error=certificate has expired: CN=eve, serial=7",
		"openvpn[3]: PEER:PORT OpenSSL: error:0A000086:SSL routines::certificate verify failed",
		"openvpn[3]: PEER:PORT TLS_ERROR: BIO read tls_read_plaintext error",
		"openvpn[3]: PEER:PORT TLS Error: TLS object -> incoming plaintext read error",
		"openvpn[3]: PEER:PORT TLS Error: TLS handshake failed",
		"openvpn[3]: PEER:PORT TLS: Initial packet from [AF_INET]PEER:PORT, sid=11234567 89abcdef",
		"openvpn[3]: PEER:PORT VERIFY ERROR: depth=0, error=certificate has expired: CN=eve, serial=7",
		"openvpn[3]: PEER:PORT TLS Error: TLS handshake failed",
	}},
	{"OpenVPN, a user name that is no common name", 0, 1, []string{
		"openvpn[3]: PEER:PORT TLS Auth Error: --username-as-common name specified and username is longer than the maximum permitted Common Name length of 64 characters",
		"openvpn[3]: PEER:PORT TLS Auth Error: Auth Username/Password verification failed for peer",
		"openvpn[3]: PEER:PORT SENT CONTROL [UNDEF]: 'AUTH_FAILED' (status=1)",
	}},
	{"OpenVPN by UDP, a wrong certificate twice from one port", 0, 2, []string{
		"openvpn[3]: PEER:PORT VERIFY ERROR: depth=0, error=certificate has expired: CN=eve, serial=7",
		"openvpn[3]: PEER:PORT TLS Error: TLS object -> incoming plaintext read error",
		"openvpn[3]: PEER:PORT TLS Error: TLS handshake failed",
		"openvpn[3]: PEER:PORT SIGUSR1[soft,tls-error] received, client-instance restarting",
		"openvpn[3]: PEER:PORT VERIFY ERROR: depth=0, error=certificate has expired: CN=eve, serial=7",
		"openvpn[3]: PEER:PORT TLS Error: TLS handshake failed",
		"openvpn[3]: PEER:PORT SIGUSR1[soft,tls-error] received, client-instance restarting",
	}},
	{"strongSwan, EAP with the numbers of IKE_SAs", 0, 2, []string{
		"charon[3]: 07[NET] <83> received packet: from PEER[500] to 198.51.100.1[500] (464 bytes)",
		"charon[3]: 07[IKE] <83> PEER is initiating an IKE_SA",
		"charon[3]: 08[NET] <vpn|83> received packet: from PEER[4500] to 198.51.100.1[4500] (144 bytes)",
		"charon[3]: 08[IKE] <vpn|83> no EAP key found for hosts 'gw' - 'eve'",
		"charon[3]: 08[IKE] <vpn|83> EAP-MS-CHAPv2 verification failed, retry (1)",
		"charon[3]: 05[NET] <vpn|83> received packet: from PEER[4500] to 198.51.100.1[4500] (144 bytes)",
		"charon[3]: 05[IKE] <vpn|83> EAP-MS-CHAPv2 verification failed: maximum number of retries reached",
		"charon[3]: 05[IKE] <vpn|83> EAP method EAP_MSCHAPV2 failed for peer eve",
		"charon[3]: 06[JOB] <vpn|83> deleting half open IKE_SA with PEER after timeout",
	}},
	{"strongSwan, a shared key without the numbers of IKE_SAs", 0, 2, []string{
		"charon: 07[NET] received packet: from PEER[500] to 198.51.100.1[500] (464 bytes)",
		"charon: 07[IKE] PEER is initiating an IKE_SA",
		"charon: 07[NET] received packet: from PEER[500] to 198.51.100.1[500] (144 bytes)",
		"charon: 07[IKE] tried 1 shared key for 'gw' - 'eve', but MAC mismatched",
		"charon: 07[NET] received packet: from PEER[500] to 198.51.100.1[500] (144 bytes)",
		"charon: 07[IKE] no shared key found for 'gw' - 'bob'",
	}},
	{"strongSwan, a login", 0, 0, []string{
		"charon: 07[NET] <83> received packet: from PEER[500] to 198.51.100.1[500] (464 bytes)",
		"charon: 07[IKE] <83> PEER is initiating an IKE_SA",
		"charon: 07[IKE] <vpn|83> IKE_SA vpn[83] established between 198.51.100.1[gw]...PEER[alice]",
		"charon: 07[IKE] <vpn|83> integrity check failed",
	}},
	{"libreswan, a wrong secret and a wrong password", 0, 2, []string{
		"pluto[3]: \"vpn\"[2] PEER #7: responding to Main Mode from unknown peer PEER:500",
		"pluto[3]: \"vpn\"[2] PEER #7: probable authentication failure (mismatch of preshared secrets?): malformed payload in packet",
		"pluto[3]: \"vpn\"[2] PEER #7: sending notification PAYLOAD_MALFORMED to PEER:500",
		"pluto[3]: \"vpn\"[3] PEER #8: XAUTH: User eve: Authentication Failed: Incorrect Username or Password",
		"pluto[3]: \"vpn\"[3] PEER #8: XAUTH: User eve: Authentication Failed (retry 1)",
	}},
	{"RouterOS, one proposal in two lines", 0, 1, []string{
		"ipsec,error no suitable proposal found.",
		"ipsec,error PEER failed to get valid proposal.",
		"ipsec,error PEER failed to pre-process ph1 packet (side: 1, status 1).",
		"ipsec,error phase1 negotiation failed.",
	}},
}

// attempts adds up what counts: SSH logins, and all else.
func attempts(events []attack.Event) (logins, other uint64) {
	for _, ev := range events {
		if ev.Kind == attack.SSHLogin {
			logins += ev.Count
		} else if !ev.Kind.Apart() {
			other += ev.Count
		}
	}
	return logins, other
}

// Each connection counts what was tried on it, once, at its peer's address.
func TestConnections(t *testing.T) {
	t.Parallel()
	rules := builtinRules(t)
	for _, script := range scripts {
		t.Run(script.name, func(t *testing.T) {
			var lines []string
			for _, line := range script.lines {
				line = strings.NewReplacer("PEER", "192.0.2.7", "PID", "4711", "PORT", "51112").Replace(line)
				lines = append(lines, "Jan 31 12:00:00 host "+line)
			}
			events := detectAll(t, rules, lines)
			for _, ev := range events {
				if ev.SourceIP.IsValid() && ev.SourceIP.String() != "192.0.2.7" {
					t.Errorf("%s blames %s", ev.Rule, ev.SourceIP)
				}
				if !ev.SourceIP.IsValid() && ev.Kind.String() != "local_auth" {
					t.Errorf("%s blames nobody", ev.Rule)
				}
			}
			if logins, other := attempts(events); logins != script.logins || other != script.other {
				t.Errorf("%d logins and %d others are counted, want %d and %d", logins, other, script.logins, script.other)
			}
		})
	}
}

// Attackers' tools open many connections at a time: their lines come mixed, and tell of each.
func TestConnectionsOfOneAddressAtATime(t *testing.T) {
	t.Parallel()
	rules := builtinRules(t)
	for _, script := range scripts {
		if !strings.Contains(strings.Join(script.lines, ""), "PORT") {
			continue // nothing but the order of the lines could tell them apart
		}
		var lines []string
		for _, line := range script.lines {
			for _, own := range []string{"1", "2", "3"} {
				line := strings.NewReplacer("PEER", "192.0.2.7", "PID", "471"+own, "PORT", "5111"+own).Replace(line)
				lines = append(lines, "Jan 31 12:00:00 host "+line)
			}
		}
		logins, other := attempts(detectAll(t, rules, lines))
		if logins != 3*script.logins || other != 3*script.other {
			t.Errorf("%s: %d logins and %d others are counted, want %d and %d", script.name, logins, other, 3*script.logins, 3*script.other)
		}
	}
}
