package respond

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/packaging/demo/program"
)

// Whoever attacks from many addresses of a network has the network banned; its neighbour has not.
func TestAFloodFromANetwork(t *testing.T) {
	t.Parallel()
	s := boot(t, "  mode: enforce\n  network: {v4: 24, v6: 48, after: 5}\n")
	for i := range 5 {
		s.attack(fmt.Sprintf("127.0.7.%d", 10+i), "root", 5)
	}
	s.await(false, "127.0.7.200")
	s.await(true, "127.0.8.200")
}

// Nobody innocent is banned: not the owner, who has logged in and mistypes ten times, nor whom the allow
// list has by address or name, nor whom a user name blames, nor whom a forged syslog packet does.
func TestNobodyInnocentIsBanned(t *testing.T) {
	t.Parallel()
	s := bootSite(t, `  network: {after: 0}
  allow: [203.0.113.60, home.example.org]
syslog: [{listen: "udp://127.0.0.1:5514", from: [127.0.0.0/8]}]
`)
	names := s.Program("/bin/sh", "-ec", "cat /etc/hosts > /run/hosts; echo 203.0.113.61 home.example.org >> /run/hosts; mount --bind /run/hosts /etc/hosts")
	if out, err := names.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s.start()
	const owner, byAddress, byName, blamed, blames, forged = "203.0.113.50", "203.0.113.60", "203.0.113.61", "203.0.113.70", "203.0.113.71", "203.0.113.80"
	if _, err := s.Login(s.ctx, netip.MustParseAddr(owner)); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{owner, byAddress, byName} {
		for range 2 {
			if _, err := s.WrongPasswords(s.ctx, netip.MustParseAddr(from), "alice", 5); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 5 {
		go s.HostileName(s.ctx, netip.MustParseAddr(blames), "root from "+blamed+" port 22 ssh2") // who is banned hears nothing
	}
	for i := range 20 {
		line := fmt.Sprintf("<38>Nov 21 12:00:00 web2 sshd[%d]: Failed password for root from %s port 22 ssh2", 100+i, forged)
		if out, err := s.Program("/bin/bash", "-c", "printf '%s' \"$0\" > /dev/udp/127.0.0.1/5514", line).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	s.await(s.reaches, false, blames) // who attacks is out, so what came before has been decided about
	s.poll(func() error {
		out, err := s.command("status")
		if err == nil && !strings.Contains(out, "20 ssh_login") {
			err = fmt.Errorf("the forged lines were not read:\n%s", out)
		}
		return err
	})
	if bans := s.bans(); len(bans) != 1 {
		t.Errorf("banned are %v", bans)
	}
	for _, from := range []string{owner, byAddress, byName, blamed, forged} {
		if !s.reaches(from) {
			t.Errorf("%s is shut out", from)
		}
	}
}

// Whatever others do to the firewall, and after a restart of everything, the bans are in force, and end
// when they were to.
func TestTheFirewallOfOthers(t *testing.T) {
	t.Parallel()
	s := boot(t, "  mode: enforce\n")
	s.attack("127.0.0.2", "root", 5)
	s.attack("2a00:1:2:3::7", "root", 5)
	s.await(false, "127.0.0.2")
	s.await(false, "2a00:1:2:3::7")
	before := s.bans()
	service := filepath.Join(s.dir, "nftables.conf") // as Debian's /etc/nftables.conf begins
	s.must(os.WriteFile(service, []byte("flush ruleset\ntable inet filter {\n\tchain input {\n\t\ttype filter hook input priority filter;\n\t}\n}\n"), 0o644))
	for _, what := range []string{"nft flush ruleset", "nft flush ruleset; nft -f " + service, "nft delete table inet pialert", "nft flush table inet pialert"} {
		s.inside(what)
		s.await(false, "127.0.0.2")
		s.await(false, "2a00:1:2:3::8")
	}
	s.responder.Kill() // and a reboot, which forgets what the kernel knew
	s.agent.Kill()
	s.inside("nft flush ruleset")
	s.await(true, "127.0.0.2")
	s.start()
	s.await(false, "127.0.0.2")
	if after := s.bans(); !slices.Equal(after, before) {
		t.Errorf("before a reboot the bans were\n%v\nafter it\n%v", before, after)
	}
	s.await(true, "127.0.0.9")
	if out := s.inside("nft list tables"); !strings.Contains(out, "table inet filter") && strings.Count(out, "table") != 1 {
		t.Errorf("tables: %s", out)
	}
}

// bans returns who is banned until when, as text.
func (s *server) bans() (all []string) {
	s.t.Helper()
	out, err := s.command("bans", "--format", "json")
	s.must(err)
	for line := range strings.Lines(out) {
		fields := strings.Split(line, `"`)
		all = append(all, strings.Join(fields[:min(len(fields), 12)], ""))
	}
	slices.Sort(all)
	return all
}

// Real fail2ban bans beside it: each keeps its own table, whatever the other does.
func TestFail2banBesideIt(t *testing.T) {
	t.Parallel()
	s := boot(t, "  mode: enforce\n")
	conf := filepath.Join(s.dir, "fail2ban")
	s.shell("cp -r /etc/fail2ban " + conf + "; rm -f " + conf + "/jail.d/*; : > " + s.dir + "/other.log")
	s.must(os.WriteFile(filepath.Join(conf, "jail.local"), fmt.Appendf(nil,
		"[sshd]\nenabled = true\nbackend = polling\nlogpath = %s/other.log\nbanaction = nftables-allports[blocktype=drop]\nignoreself = false\nbantime = 1h\n", s.dir), 0o644))
	s.must(os.WriteFile(filepath.Join(conf, "fail2ban.local"), fmt.Appendf(nil, "[Definition]\ndbfile = %s/f2b.db\n", s.dir), 0o644))
	client := fmt.Sprintf("fail2ban-client -c %s -s %s/f2b.sock -p %[2]s/f2b.pid ", conf, s.dir)
	server, err := program.Start(exec.Command("ip", "netns", "exec", s.netns, "fail2ban-server", "-f", "-c", conf, "-s", s.dir+"/f2b.sock", "-p", s.dir+"/f2b.pid",
		"--logtarget", s.dir+"/f2b.log"))
	s.must(err)
	t.Cleanup(server.Kill)
	s.poll(func() error { return exec.Command("ip", "netns", "exec", s.netns, "sh", "-c", client+"ping").Run() })
	s.inside(client + "set sshd banip 127.0.0.4")
	s.await(false, "127.0.0.4")
	theirs := func() string {
		out, err := exec.Command("ip", "netns", "exec", s.netns, "sh", "-c", "nft list tables | grep -v pialert | head -1 | xargs nft list").CombinedOutput()
		s.must(err)
		return string(out)
	}
	table := theirs()
	if !strings.Contains(table, "127.0.0.4") {
		t.Fatalf("fail2ban's table is %s", table)
	}
	s.attack("127.0.0.2", "root", 5)
	s.await(false, "127.0.0.2")
	s.inside(client + "set sshd banip 127.0.0.5")
	s.inside(client + "set sshd unbanip 127.0.0.4")
	s.await(true, "127.0.0.4")
	s.await(false, "127.0.0.5")
	if _, err := s.command("bans", "flush"); err != nil {
		t.Error(err)
	}
	s.await(true, "127.0.0.2")
	s.await(false, "127.0.0.5")
	s.attack("127.0.0.3", "root", 5)
	s.await(false, "127.0.0.3")
	s.inside(client + "stop")
	s.await(true, "127.0.0.5")
	s.await(false, "127.0.0.3")
}

// The responder answers root and the agent's user, and nobody else; and nobody bans what is out of bounds.
func TestTheSocketRefuses(t *testing.T) {
	t.Parallel()
	s := boot(t, "  mode: enforce\n")
	s.shell("chmod 755 " + s.dir)
	ask := func(user, path, body string) (string, error) {
		out, err := exec.Command("setpriv", "--reuid="+user, "--clear-groups", "curl", "--silent", "--show-error", "--max-time", "10", "--unix-socket",
			s.dir+"/responder.sock", "--data-binary", body, "http://responder"+path).CombinedOutput()
		return string(out), err
	}
	const good = `{"target":"9.9.9.9/32","for":3600000000000,"reason":"x"}`
	for _, user := range []string{"65534", "1"} {
		for _, path := range []string{"/ban", "/flush", "/status"} {
			if out, err := ask(user, path, good); err == nil {
				t.Errorf("user %s was answered to %s: %s", user, path, out)
			}
		}
	}
	for body, want := range map[string]string{
		good: `"fresh":true`,
		`{"target":"0.0.0.0/0","for":3600000000000}`:                               "refused",
		`{"target":"9.0.0.0/8","for":3600000000000}`:                               "refused: 9.0.0.0/8 is too large a network",
		`{"target":"9.9.9.9/32","for":36000000000000000}`:                          "refused: a ban of",
		`{"target":"10.0.0.1/32","for":3600000000000}`:                             "refused: 10.0.0.1/32 is never banned: a private network",
		`{"target":"127.0.0.1/32","for":3600000000000}`:                            "refused: 127.0.0.1/32 is never banned: it is this machine's own",
		`{"target":"9.9.9.8/32","for":3600000000000,"command":"reboot"}`:           "cannot read the request",
		`{"target":"9.9.9.8/32","for":3600000000000}` + strings.Repeat(" ", 9<<20): "",
	} {
		if out, err := ask("0", "/ban", body); want != "" && (err != nil || !strings.Contains(out, want)) {
			t.Errorf("%.80s: %s, %v; want %q", body, out, err, want)
		}
	}
	if out, err := s.command("bans"); err != nil || !strings.Contains(out, "9.9.9.9/32") || strings.Count(out, "/32") > 2 {
		t.Errorf("%v\n%s", err, out)
	}
}

var kills = flag.Int("kills", 24, "SIGKILLs of agent and responder in TestKills")

// Killed at any moment, either of the two, what is in force is in the end what was decided.
func TestKills(t *testing.T) {
	t.Parallel()
	s := boot(t, "  mode: enforce\n  network: {after: 0}\n")
	random := rand.New(rand.NewPCG(1, uint64(*kills)))
	var attackers []string
	asDecided := func() error { // what is in force is what was decided
		decided, err := s.command("bans", "--format", "json")
		if err != nil {
			return err
		}
		inForce := s.inside("nft list set inet pialert ban4")
		for line := range strings.Lines(decided) {
			var ban struct{ Target string }
			if err := json.Unmarshal([]byte(line), &ban); err != nil {
				return err
			}
			if !strings.Contains(inForce, strings.TrimSuffix(ban.Target, "/32")+" timeout") {
				return fmt.Errorf("%s is not in force", ban.Target)
			}
		}
		if want, got := strings.Count(decided, "\n"), strings.Count(inForce, " timeout "); got != want {
			return fmt.Errorf("%d are in force, want %d", got, want)
		}
		return nil
	}
	killed, began := 0, time.Now()
	for before := 0; killed < *kills; before = killed {
		from := fmt.Sprintf("127.0.%d.%d", 1+len(attackers)/200, 1+len(attackers)%200)
		attackers = append(attackers, from)
		s.attack(from, "root", 2)
		if random.IntN(2) == 0 {
			s.agent.Kill()
			s.agent = s.process("run")
			killed++
			if random.IntN(2) == 0 { // else it dies again before it has begun
				s.poll(func() error {
					_, err := s.command("status")
					return err
				})
			}
		}
		s.attack(from, "root", 3)
		time.Sleep(time.Duration(random.IntN(60)) * time.Millisecond) // anywhere between the lines and the ban
		if random.IntN(2) == 0 {
			s.responder.Kill()
			if random.IntN(3) == 0 {
				s.inside("nft flush ruleset")
			}
			s.responder = s.process("responder")
			killed++
		}
		if killed > before {
			s.poll(asDecided)
		}
	}
	s.poll(func() error {
		_, err := s.command("status")
		return err
	})
	s.within(timeout+time.Duration(*kills)*100*time.Millisecond, func() error {
		if got := len(s.bans()); got != len(attackers) {
			return fmt.Errorf("%d are banned, want %d", got, len(attackers))
		}
		return nil
	})
	s.poll(asDecided)
	for _, from := range attackers[:10] {
		s.await(false, from)
	}
	s.await(true, "127.0.200.200")
	s.within(timeout, func() error { // each ban is an event, whatever was killed when
		status, err := s.command("status", "--format", "json")
		if err == nil && !strings.Contains(status, `"pending": 0`) {
			err = fmt.Errorf("decisions wait: %s", status)
		}
		return err
	})
	t.Logf("%d kills, %d attackers, all banned, in %s", killed, len(attackers), time.Since(began).Round(time.Second))
}
