package respond

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/packaging/demo/program"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/test/daemon"
)

// site is a machine with real daemons, an agent and a responder. Its attackers have documentation
// addresses, of which nobody is banned unless the owner names them.
type site struct {
	*daemon.Machine
	t      *testing.T
	ctx    context.Context
	config string
	run    []*program.Process
}

func bootSite(t *testing.T, responses string) *site {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	m, err := daemon.Boot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	s := &site{Machine: m, t: t, ctx: ctx, config: filepath.Join(t.TempDir(), "agent.yaml")}
	s.must(m.StartSSHD(ctx, daemon.SSHD{LogFile: "sshd.log"}))
	s.must(m.StartApache(ctx, daemon.Apache{}))
	s.must(os.WriteFile(s.config, fmt.Appendf(nil, `name: web1
state: /run/agent
control: /run/agent/agent.sock
metrics: ""
rules: /run/rules.d
link: {listen: "127.0.0.1:7483", relay: ""}
logs:
  - {path: /var/log/sshd.log, type: sshd}
  - {path: /var/log/apache2/access.log}
responses:
  mode: enforce
  socket: /run/responder/responder.sock
  state: /run/bans
  include: [198.51.100.0/24, 203.0.113.0/24, "2001:db8:bad::/48"]
%s`, responses), 0o644))
	return s
}

// start starts both programs and waits until the logs are followed.
func (s *site) start() {
	s.t.Helper()
	for _, name := range []string{"responder", "run"} {
		p, err := program.Start(s.Program(programs.Agent, name, "--config", s.config))
		s.must(err)
		s.run = append(s.run, p)
		s.t.Cleanup(func() {
			if s.t.Failed() {
				s.t.Logf("%s wrote:\n%s", name, p.Stderr)
			}
		})
	}
	s.poll(func() error {
		_, err := s.command("status")
		return errors.Join(err, s.listening())
	})
}

func (s *site) listening() error {
	_, err := s.command("bans")
	return err
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// poll asks until it is so, and gives up after timeout.
func (s *site) poll(is func() error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, timeout)
	defer cancel()
	s.must(program.Poll(ctx, is))
}

func (s *site) command(args ...string) (string, error) {
	return program.Run(s.ctx, s.Program(programs.Agent, append(args, "--config", s.config)...))
}

// banned is a line of bans --format json.
type banned struct {
	Target  string    `json:"target"`
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until"`
	InForce []string  `json:"in_force"`
}

// bans lists who is banned, by target.
func (s *site) bans() map[string]banned {
	s.t.Helper()
	out, err := s.command("bans", "--format", "json")
	s.must(err)
	all := map[string]banned{}
	for line := range strings.Lines(out) {
		var one banned
		s.must(json.Unmarshal([]byte(line), &one))
		all[one.Target] = one
	}
	return all
}

// hears says whether sshd answers somebody: with its banner.
func (s *site) hears(from string) bool {
	ctx, cancel := context.WithTimeout(s.ctx, time.Second)
	defer cancel()
	conn, err := s.Dial(ctx, netip.MustParseAddr(from), 22)
	if err != nil {
		return false
	}
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(time.Second))
	banner := make([]byte, 4)
	_, err = conn.Read(banner)
	return err == nil && string(banner) == "SSH-"
}

// reaches says whether somebody's packets reach sshd at all.
func (s *site) reaches(from string) bool {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, time.Second)
	defer cancel()
	conn, err := s.Dial(ctx, netip.MustParseAddr(from), 22)
	if err == nil {
		conn.Close()
		return true
	}
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		s.t.Fatal(err)
	}
	return false
}

// await waits until something is so for somebody, or no longer.
func (s *site) await(is func(from string) bool, want bool, from string) {
	s.t.Helper()
	s.poll(func() error {
		if is(from) != want {
			return fmt.Errorf("%s: %t, want %t", from, !want, want)
		}
		return nil
	})
}

// guess has a real client type wrong passwords.
// The client does not hear how its last one fared where it is banned by then, so nobody waits for it.
func (s *site) guess(from, user string, n int) {
	go s.WrongPasswords(s.ctx, netip.MustParseAddr(from), user, n)
}

// Real clients attack real daemons; their packets stop, and come through again once the ban is over.
// Who comes back stays out longer.
func TestRealAttackersAreShutOut(t *testing.T) {
	t.Parallel()
	s := bootSite(t, "  ban: {after: 5, for: 5s, growth: 3}\n  kinds: {http_exploit: {after: 1, for: 5s}}\n  network: {after: 0}\n")
	s.start()
	const ssh, web, ssh6 = "203.0.113.5", "203.0.113.6", "2001:db8:bad:1::5"
	s.guess(ssh, "root", 5)
	s.guess(ssh6, "root", 5)
	_, err := s.Get(s.ctx, netip.MustParseAddr(web), attack.HTTPExploit, "/cgi-bin/.%2e/.%2e/.%2e/bin/sh")
	s.must(err)
	for _, from := range []string{ssh, web, ssh6, "2001:db8:bad:1:ffff::9"} {
		s.await(s.reaches, false, from)
	}
	for _, from := range []string{"203.0.113.7", "2001:db8:bad:2::5"} {
		s.await(s.reaches, true, from)
	}
	first := s.bans()[ssh+"/32"]
	s.await(s.reaches, true, ssh) // five seconds later
	s.guess(ssh, "root", 5)
	s.await(s.reaches, false, ssh)
	second := s.bans()[ssh+"/32"]
	if once, again := first.Until.Sub(first.Since), second.Until.Sub(second.Since); once > 5*time.Second || again < 2*once {
		t.Errorf("banned for %s, then for %s; want 5s and three times as long", once, again)
	}
}

// session has somebody log in and stay, on a terminal, which sshd notes in utmp.
func (s *site) session(from string) {
	s.t.Helper()
	_, err := program.Run(s.ctx, s.Program("/bin/sh", "-c", ": > /run/utmp"))
	s.must(err)
	ctx, leave := context.WithCancel(s.ctx)
	client := s.Command(ctx, "/usr/bin/ssh", "-tt", "-F", "/dev/null", "-b", from, "-l", daemon.Account, "-o", "StrictHostKeyChecking=no",
		"-o", "UserKnownHostsFile=/dev/null", daemon.Address4.String(), "echo here; exec cat")
	client.Env = append(client.Env, "SSH_ASKPASS=/etc/ssh/askpass", "SSH_ASKPASS_REQUIRE=force", "PASSWORD="+daemon.Password)
	in, err := client.StdinPipe()
	s.must(err)
	out, err := client.StdoutPipe()
	s.must(err)
	s.must(client.Start())
	s.t.Cleanup(func() {
		in.Close()
		leave()
		client.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); !strings.HasPrefix(line, "here") {
		s.t.Fatalf("%s did not log in: %q, %v", from, line, err)
	}
}

// write changes the mode in the configuration.
func (s *site) write(mode string) {
	s.t.Helper()
	text, err := os.ReadFile(s.config)
	s.must(err)
	s.must(os.WriteFile(s.config, regexp.MustCompile(`mode: \w+`).ReplaceAll(text, []byte("mode: "+mode)), 0o644))
}

// set changes the mode and has the agent take it over.
func (s *site) set(mode string) {
	s.t.Helper()
	s.write(mode)
	_, err := program.Run(s.ctx, s.Program("/usr/bin/pkill", "-HUP", "-f", "pialert-agent run"))
	s.must(err)
}

// says waits until status has a text.
func (s *site) says(text string) {
	s.t.Helper()
	s.poll(func() error {
		out, err := s.command("status")
		if err == nil && !strings.Contains(out, text) {
			err = fmt.Errorf("status says nothing of %q:\n%s", text, out)
		}
		return err
	})
}

// Set by somebody who is logged in by a real sshd, bans are on trial and end with it, until they are confirmed.
func TestEnforcedOverSSH(t *testing.T) {
	t.Parallel()
	s := bootSite(t, "  ban: {after: 5, for: 1h}\n  network: {after: 0}\n")
	s.write("observe")
	s.start()
	s.session("203.0.113.50")
	s.set("enforce")
	s.says("the trial ends in ")
	const attacker = "203.0.113.5"
	s.guess(attacker, "root", 5)
	s.await(s.reaches, false, attacker)
	if ban := s.bans()[attacker+"/32"]; ban.Until.Sub(ban.Since) > 5*time.Minute {
		t.Errorf("on trial banned for %s", ban.Until.Sub(ban.Since))
	}
	if _, err := s.command("responses", "confirm"); err != nil {
		t.Fatal(err)
	}
	s.poll(func() error {
		if ban := s.bans()[attacker+"/32"]; ban.Until.Sub(ban.Since) < 59*time.Minute {
			return fmt.Errorf("confirmed, it is banned for %s", ban.Until.Sub(ban.Since))
		}
		return nil
	})
	s.set("observe")
	s.await(s.reaches, true, attacker)
}

// Debian's own sshd refuses whom hosts.deny has: not a byte of its banner.
func TestSSHDRefusesWhomHostsDenyHas(t *testing.T) {
	t.Parallel()
	s := bootSite(t, "  nftables: null\n  hosts_deny: {}\n  ban: {after: 5}\n  network: {after: 2}\n")
	own := s.Program("/bin/sh", "-ec", "cp -a /etc /run/etc; mount --bind /run/etc /etc; printf '# mine\\nALL: 192.0.2.250\\n' > /etc/hosts.deny; chmod 640 /etc/hosts.deny")
	if out, err := own.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s.start()
	s.await(s.hears, true, "203.0.113.5")
	s.guess("203.0.113.5", "root", 5)
	s.guess("2001:db8:bad:1::5", "root", 5)
	for _, from := range []string{"203.0.113.5", "2001:db8:bad:1::5", "2001:db8:bad:1:ffff::9"} {
		s.await(s.hears, false, from)
	}
	for _, from := range []string{"203.0.113.6", "2001:db8:bad:2::5"} {
		s.await(s.hears, true, from)
	}
	if !s.reaches("203.0.113.5") {
		t.Error("the firewall drops what hosts.deny alone should refuse")
	}
	file := func() string {
		out, err := program.Run(s.ctx, s.Program("/bin/sh", "-c", "stat -c %a /etc/hosts.deny; cat /etc/hosts.deny"))
		s.must(err)
		return out
	}
	if got := file(); !strings.HasPrefix(got, "640\n# mine\nALL: 192.0.2.250\n# BEGIN PiAlert") || !strings.Contains(got, "\nsshd: 203.0.113.5\nsshd: [2001:db8:bad:1::]/64\n") {
		t.Errorf("the file is\n%s", got)
	}
	s.guess("203.0.113.77", "root", 5) // and with it the network
	s.await(s.hears, false, "203.0.113.200")
	if _, err := s.command("bans", "flush"); err != nil {
		t.Error(err)
	}
	s.await(s.hears, true, "203.0.113.5")
	if got := file(); got != "640\n# mine\nALL: 192.0.2.250\n" {
		t.Errorf("taken back, the file is\n%s", got)
	}
}
