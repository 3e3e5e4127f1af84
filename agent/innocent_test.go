package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/policy"
	"github.com/pialert/pialert/agent/internal/policy/replay"
	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/agent/internal/scan"
	"github.com/pialert/pialert/pkg/attack"
)

// blaming are user names by which an attacker tries to have %[1]s banned in his place.
var blaming = []string{
	"root from %[1]s", "root from %[1]s port 22", "root from %[1]s port 22 ssh2", "root from %[1]s port 22 ssh2: RSA SHA256:x", "from %[1]s from %[1]s",
	"x rhost=%[1]s", "x  user=root rhost=%[1]s ", "x#012Nov 22 12:00:00 vps sshd[1]: Failed password for root from %[1]s port 22 ssh2",
	"message repeated 900 times: [ Failed password for root from %[1]s port 22 ssh2]", "x [preauth]", "%[1]s port 22 [preauth]", "%[1]s", "x]: Failed password for root from %[1]s port 22 ssh2",
	"authenticating user root %[1]s port 22", "x by invalid user y %[1]s port 22 [preauth]", "::ffff:%[1]s", "x\\012from %[1]s port 22", "x' rip=%[1]s, lip=192.0.2.1",
}

// Whatever an attacker writes into his user name, and wherever the owner comes from, it is the attacker who is banned:
// not who logged in and mistypes with ever new addresses of his network, nor who shares an address with an attacker, nor whom
// the allow list has in any form, nor whom a name blames.
func TestNobodyInnocentIsBanned(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 11))
	rules, err := loadRules(defaults(), "")
	if err != nil {
		t.Fatal(err)
	}
	four := func(first byte) netip.Addr {
		return netip.AddrFrom4([4]byte{first, byte(1 + random.IntN(250)), byte(random.IntN(250)), byte(1 + random.IntN(250))})
	}
	six := func() netip.Addr {
		raw := [16]byte{0x2a, 0x01, byte(random.IntN(256)), byte(random.IntN(256)), byte(random.IntN(256)), byte(random.IntN(256)), 0, byte(random.IntN(256))}
		raw[15] = byte(1 + random.IntN(250))
		return netip.AddrFrom16(raw)
	}
	neighbour := func(addr netip.Addr) netip.Addr { // within its /64
		raw := addr.As16()
		for i := 8; i < 16; i++ {
			raw[i] = byte(random.IntN(256))
		}
		return netip.AddrFrom16(raw)
	}
	for round := range 25 {
		now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
		var log strings.Builder
		pid := 1000
		write := func(format string, args ...any) {
			now = now.Add(time.Duration(random.IntN(1500)) * time.Millisecond)
			fmt.Fprintf(&log, "%s vps sshd[%d]: %s\n", now.Format("2006-01-02T15:04:05.000000Z07:00"), pid, fmt.Sprintf(format, args...))
		}
		// guess is one connection with a wrong password, as OpenSSH 9.2 writes of it.
		guess := func(from netip.Addr, user string, known bool) {
			pid++
			port, invalid := 1024+random.IntN(60000), "invalid user "
			if known {
				invalid = ""
				write("pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=%s  user=%s", from, user)
			} else {
				write("Invalid user %s from %s port %d", user, from, port)
				write("pam_unix(sshd:auth): check pass; user unknown")
				write("pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=%s ", from)
			}
			write("Failed password for %s%s from %s port %d ssh2", invalid, user, from, port)
			if random.IntN(3) == 0 {
				write("message repeated 2 times: [ Failed password for %s%s from %s port %d ssh2]", invalid, user, from, port)
			}
			write("Connection closed by %suser %s %s port %d [preauth]", map[bool]string{true: "authenticating ", false: "invalid "}[known], user, from, port)
		}
		login := func(from netip.Addr) {
			pid++
			write("Accepted publickey for alice from %s port %d ssh2: ED25519 SHA256:eqPm2XdHbJRQiNxGI9bqs7jKXQ1YZFZKuRrqCtD0eAM", from, 1024+random.IntN(60000))
		}
		owner4, owner6, shared, blamed, blamed6 := four(80), six(), four(81), four(82), six()
		byAddress, byNetwork, byMapped, byMappedNetwork := four(83), four(84), four(85), four(86)
		network, _ := byNetwork.Prefix(20)
		cfg := defaults()
		cfg.Responses.Network = policy.Network{V4: 24, V6: 48, After: 2}
		cfg.Responses.Allow = []string{
			byAddress.String(), network.String(), "::ffff:" + byMapped.String(), "::ffff:" + byMappedNetwork.String() + "/120",
			"fe80::1%eth0", "0.0.0.0", "::", "127.0.0.1", "localhost",
		}
		login(owner4)
		login(owner6)
		login(shared)
		var attackers []netip.Addr
		for range 6 {
			attackers = append(attackers, four(90), six())
		}
		type deed func()
		var deeds []deed
		for range 10 {
			deeds = append(deeds, func() { guess(owner4, "alice", true) }, func() { guess(neighbour(owner6), "alice", true) }, func() { guess(shared, "root", true) })
			for _, allowed := range []netip.Addr{byAddress, byNetwork, byMapped, byMappedNetwork} {
				deeds = append(deeds, func() { guess(allowed, "alice", true) })
			}
		}
		for _, attacker := range attackers {
			for range 8 {
				name, victim := blaming[random.IntN(len(blaming))], []netip.Addr{blamed, blamed6}[random.IntN(2)]
				if strings.Contains(name, "%") {
					name = fmt.Sprintf(name, victim)
				}
				deeds = append(deeds, func() { guess(attacker, name, false) })
			}
		}
		random.Shuffle(len(deeds), func(i, j int) { deeds[i], deeds[j] = deeds[j], deeds[i] })
		for _, do := range deeds {
			do()
		}
		file := filepath.Join(t.TempDir(), "auth.log")
		if err := os.WriteFile(file, []byte(log.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		past := &replay.Past{}
		options := scan.Options{Type: rule.TypeAuto, Files: []string{file}, Stdout: io.Discard, Now: time.Now, Each: func(e *attack.Event) { past.Add(e) }}
		options.Detect.Rules = rules
		if _, err := scan.Run(t.Context(), options); err != nil {
			t.Fatal(err)
		}
		result, err := cfg.judge(past)
		if err != nil {
			t.Fatal(err)
		}
		banned := map[netip.Addr]bool{}
		for _, one := range result.Banned {
			for who, addr := range map[string]netip.Addr{
				"the owner": owner4, "the owner by IPv6": owner6, "who shares an address": shared, "who is blamed": blamed, "who is blamed by IPv6": blamed6,
				"an allowed address": byAddress, "an allowed network": byNetwork, "an allowed mapped address": byMapped, "an allowed mapped network": byMappedNetwork,
			} {
				if one.Target.Contains(addr) {
					t.Errorf("round %d: %s (%s) would be banned by %s: %s", round, who, addr, one.Target, one.Reason)
				}
			}
			for _, attacker := range attackers {
				banned[attacker] = banned[attacker] || one.Target.Contains(attacker)
			}
		}
		for _, attacker := range attackers {
			if !banned[attacker] {
				t.Errorf("round %d: %s attacked eight times and would not be banned", round, attacker)
			}
		}
		if t.Failed() {
			t.Fatalf("the log was\n%.3000s", log.String())
		}
	}
}
