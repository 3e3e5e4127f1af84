package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/bbolt"

	"github.com/pialert/pialert/packaging/demo/program"
)

const (
	banRounds  = 5      // of each program; the best counts
	restored   = 20_000 // bans that the responder restores
	theirs     = 500    // bans that fail2ban does: more would take minutes
	banTimeout = time.Minute
)

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1000 }

// bans measures how fast attackers are shut out, beside fail2ban and sshguard.
func (b *bench) bans(ctx context.Context) error {
	own, err := b.ownBans(ctx)
	if err != nil {
		return err
	}
	beside := ""
	for _, peer := range []struct {
		name, needs string
		measure     func(context.Context) (string, error)
	}{{"fail2ban", "fail2ban-server", b.fail2ban}, {"sshguard", "/usr/libexec/sshguard/sshg-parser", b.sshguard}} {
		if _, err := exec.LookPath(peer.needs); err != nil {
			beside += "; " + peer.name + " is not installed"
			continue
		}
		text, err := peer.measure(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", peer.name, err)
		}
		beside += "; " + text
	}
	row("the fifth wrong password's line until packets of its address are dropped", "below 5 ms", "best %.2f, median %.2f ms%s",
		milliseconds(own[0]), milliseconds(own[len(own)/2]), beside)
	return b.restore(ctx)
}

// configure writes the configuration of an agent that bans.
func (s *server) configure() (string, error) {
	path := filepath.Join(s.dir, "agent.yaml")
	return path, os.WriteFile(path, fmt.Appendf(nil, `name: web1
state: %[1]s/state
control: %[1]s/agent.sock
metrics: ""
rules: %[1]s/rules.d
link: {listen: "127.0.0.1:7483", relay: ""}
logs: [{path: %[1]s/auth.log}]
ignore_self: false
responses: {mode: enforce, socket: %[1]s/responder.sock, state: %[1]s/bans, network: {after: 0}}
`, s.dir), 0o644)
}

func (b *bench) ownBans(ctx context.Context) ([]time.Duration, error) {
	s, end, err := b.server("own")
	if err != nil {
		return nil, err
	}
	defer end()
	config, err := s.configure()
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"responder", "run"} {
		p, err := s.start(b.programs.Agent + " " + name + " --config " + config)
		if err != nil {
			return nil, err
		}
		defer p.Kill()
	}
	err = program.Poll(ctx, func() error {
		return exec.Command("sh", "-c", s.inside(b.programs.Agent+" bans --config "+config)).Run()
	})
	if err != nil {
		return nil, err
	}
	return s.lineToDrop()
}

func (b *bench) fail2ban(ctx context.Context) (string, error) {
	s, end, err := b.server("fail2ban")
	if err != nil {
		return "", err
	}
	defer end()
	conf := s.dir + "/etc"
	if out, err := exec.Command("sh", "-c", "cp -r /etc/fail2ban "+conf+" && rm -f "+conf+"/jail.d/*").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	jail := "[sshd]\nenabled = true\nmaxretry = 5\nlogpath = " + s.log + "\nbanaction = nftables-allports[blocktype=drop]\nprotocol = udp\nignoreself = false\nbantime = 1h\n"
	err = errors.Join(os.WriteFile(conf+"/jail.local", []byte(jail), 0o644),
		os.WriteFile(conf+"/fail2ban.local", []byte("[Definition]\ndbfile = "+s.dir+"/db\n"), 0o644))
	if err != nil {
		return "", err
	}
	sockets := fmt.Sprintf("-c %s -s %s/sock -p %[2]s/pid ", conf, s.dir)
	client := s.inside("fail2ban-client " + sockets)
	run := func() (*program.Process, error) {
		p, err := s.start("fail2ban-server -f " + sockets + "--logtarget " + s.dir + "/f2b.log")
		if err == nil {
			err = program.Poll(ctx, func() error { return exec.Command("sh", "-c", client+"status sshd").Run() })
		}
		return p, err
	}
	p, err := run()
	if err != nil {
		return "", err
	}
	defer p.Kill()
	times, err := s.lineToDrop()
	if err != nil {
		said, _ := os.ReadFile(s.dir + "/f2b.log")
		return "", fmt.Errorf("%w; it wrote:\n%s", err, said)
	}
	var all []string
	for i := range theirs {
		all = append(all, fmt.Sprintf("20.2.%d.%d", i/200, 1+i%200))
	}
	began := time.Now()
	if out, err := exec.CommandContext(ctx, "sh", "-c", client+"set sshd banip "+strings.Join(all, " ")).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	err = program.Poll(ctx, func() error {
		out, err := exec.Command("sh", "-c", s.inside("nft list ruleset")).Output()
		if err == nil && !strings.Contains(string(out), all[len(all)-1]) {
			err = errors.New("not all are banned yet")
		}
		return err
	})
	if err != nil {
		return "", err
	}
	took := time.Since(began)
	row(fmt.Sprintf("fail2ban's %d bans", theirs), "", "%.1f s, so that %d take about %.0f s", took.Seconds(), restored, took.Seconds()*restored/theirs)
	return fmt.Sprintf("fail2ban best %.0f, median %.0f ms", milliseconds(times[0]), milliseconds(times[len(times)/2])), nil
}

func (b *bench) sshguard(context.Context) (string, error) {
	s, end, err := b.server("sshguard")
	if err != nil {
		return "", err
	}
	defer end()
	const at = "/usr/libexec/sshguard/"
	// What /usr/sbin/sshguard starts. Each wrong password counts ten.
	p, err := s.start("sh -c '" + at + "sshg-logtail " + s.log + " | " + at + "sshg-parser | " + at + "sshg-blocker -a 50 -p 3600 -s 1800 | " + at + "sshg-fw-nft-sets'")
	if err != nil {
		return "", err
	}
	defer func() {
		syscall.Kill(-p.Pid(), syscall.SIGKILL) // all of the pipe
		p.Kill()
	}()
	time.Sleep(2 * time.Second) // it does not say when it is ready
	times, err := s.lineToDrop()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("sshguard best %.0f, median %.0f ms", milliseconds(times[0]), milliseconds(times[len(times)/2])), nil
}

// restore measures a responder's start with many bans until packets of one of them are dropped, and the
// same after somebody flushed the firewall.
func (b *bench) restore(context.Context) error {
	s, end, err := b.server("restore")
	if err != nil {
		return err
	}
	defer end()
	config, err := s.configure()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.dir+"/bans", 0o700); err != nil {
		return err
	}
	db, err := bbolt.Open(s.dir+"/bans/bans.db", 0o600, nil)
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		bucket, err := tx.CreateBucketIfNotExists([]byte("bans"))
		for i := range restored {
			target := netip.PrefixFrom(netip.AddrFrom4([4]byte{20, 50, byte(i >> 8), byte(i)}), 32)
			const reason = "5 attempts within 4s, the last one ssh_login"
			value := binary.BigEndian.AppendUint64(nil, uint64(time.Now().UnixNano())) // as the responder's store has it
			value = binary.BigEndian.AppendUint64(value, uint64(time.Now().Add(time.Hour).UnixNano()))
			value = append(binary.BigEndian.AppendUint16(value, uint16(len(reason))), reason+"ssh_login of rule sshd-failed-password in /var/log/auth.log"...)
			err = errors.Join(err, bucket.Put([]byte(target.String()), value))
		}
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	var starts, flushes []time.Duration
	for range banRounds {
		var p *program.Process
		took, err := s.dropped("20.50.0.7", func() (began time.Time, err error) {
			began = time.Now()
			p, err = s.start(b.programs.Agent + " responder --config " + config)
			return began, err
		})
		if p != nil {
			defer p.Kill()
		}
		if err != nil {
			return err
		}
		starts = append(starts, took)
		nft := func() (time.Time, error) {
			out, err := exec.Command("sh", "-c", s.inside("nft flush ruleset")).CombinedOutput()
			if err != nil {
				err = fmt.Errorf("%w: %s", err, out)
			}
			return time.Now(), err
		}
		if took, err = s.repaired("20.50.0.7", nft); err != nil {
			return err
		}
		flushes = append(flushes, took)
		p.Kill()
		if _, err := nft(); err != nil {
			return err
		}
	}
	row(fmt.Sprintf("restore of %d bans, from the responder's start to the drop of packets", restored), "below 0.1 s", "%.3f s", slices.Min(starts).Seconds())
	row(fmt.Sprintf("repair of %d bans after nft flush ruleset", restored), "", "%.3f s", slices.Min(flushes).Seconds())
	return nil
}

// repaired measures how long packets of a banned address arrive after something.
func (s *server) repaired(from string, spoil func() (time.Time, error)) (time.Duration, error) {
	began, err := spoil()
	if err != nil {
		return 0, err
	}
	after, err := s.dropped(from, func() (time.Time, error) { return began, nil })
	if err != nil && strings.Contains(err.Error(), "before the ban") {
		return time.Since(began), nil // it was faster than this looks
	}
	return after, err
}
