package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/test/daemon"
)

// last is the source of each recording's last act, which tells that all is written.
var last = netip.MustParseAddr("198.51.100.254")

// studio is a machine that something is recorded on.
type studio struct {
	*daemon.Machine
	dir      string
	attempts []daemon.Attempt
	next     netip.Addr // source of the next act
}

func open() (*studio, error) {
	dir, err := os.MkdirTemp("", "record")
	if err != nil {
		return nil, err
	}
	m, err := daemon.Boot(dir)
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return &studio{Machine: m, dir: dir, next: netip.MustParseAddr("203.0.113.1")}, nil
}

func (s *studio) close() {
	s.Close()
	os.RemoveAll(s.dir)
}

// play does each step from a source of its own, every third one over IPv6.
func (s *studio) play(ctx context.Context, steps []step) error {
	for i, act := range steps {
		from := s.next
		s.next = s.next.Next()
		if i%3 == 2 {
			from = netip.MustParseAddr(fmt.Sprintf("2001:db8:bad::%x", 16+i))
		}
		attempts, err := act(ctx, s.Machine, from)
		if err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
		s.attempts = append(s.attempts, attempts...)
	}
	return nil
}

// version returns what a program says of itself.
func (s *studio) version(ctx context.Context, name string, args ...string) string {
	out, _ := s.Command(ctx, name, args...).CombinedOutput() // sshd has no option for it and exits with 1
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "OpenSSH_") || strings.Contains(line, "Apache/") {
			return strings.TrimPrefix(strings.TrimSpace(line), "Server version: ")
		}
	}
	return name
}

func recordReal(ctx context.Context, dir, debian13 string) error {
	recordings := []struct {
		name   string
		record func(context.Context, string) error
	}{
		{"OpenSSH through rsyslog", recordSyslog},
		{"a strict OpenSSH through a reducing rsyslog", recordStrict},
		{"OpenSSH's own log file", recordFile},
		{"OpenSSH in the journal", recordJournal},
		{"Apache", recordApache},
	}
	for _, r := range recordings {
		if err := r.record(ctx, dir); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	if debian13 == "" {
		return nil
	}
	return recordDebian13(ctx, dir, debian13)
}

func recordSyslog(ctx context.Context, dir string) error {
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
	if err := s.play(ctx, sshSteps()); err != nil {
		return err
	}
	for _, log := range []string{"3164", "3339"} {
		if err := s.saveSSH(ctx, "auth-"+log+".log", filepath.Join(dir, "openssh-9.2-rfc"+log+".log"), ""); err != nil {
			return err
		}
	}
	return nil
}

func recordStrict(ctx context.Context, dir string) error {
	s, err := open()
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.StartSyslog(ctx, daemon.Syslog{Reduce: true}); err != nil {
		return err
	}
	conf := "KbdInteractiveAuthentication yes\nAllowUsers " + daemon.Account + " nagios\n"
	if err := s.StartSSHD(ctx, daemon.SSHD{Config: conf}); err != nil {
		return err
	}
	if err := s.play(ctx, strictSteps()); err != nil {
		return err
	}
	return s.saveSSH(ctx, "auth-3339.log", filepath.Join(dir, "openssh-9.2-strict.log"), "")
}

func recordFile(ctx context.Context, dir string) error {
	s, err := open()
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.StartSSHD(ctx, daemon.SSHD{LogFile: "sshd.log"}); err != nil {
		return err
	}
	if err := s.play(ctx, sshSteps()); err != nil {
		return err
	}
	return s.saveSSH(ctx, "sshd.log", filepath.Join(dir, "openssh-9.2-file.log"), "")
}

func recordJournal(ctx context.Context, dir string) error {
	s, err := open()
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.StartJournal(ctx); err != nil {
		return err
	}
	if err := s.StartSSHD(ctx, daemon.SSHD{}); err != nil {
		return err
	}
	if err := s.play(ctx, sshSteps()); err != nil {
		return err
	}
	if _, err := s.Login(ctx, last); err != nil {
		return err
	}
	if err := s.Command(ctx, "journalctl", "--sync").Run(); err != nil {
		return fmt.Errorf("cannot sync the journal: %w", err)
	}
	log, err := s.Command(ctx, "journalctl", "--output=json", "--no-pager", "_COMM=sshd").Output()
	if err != nil {
		return fmt.Errorf("cannot read the journal: %w", err)
	}
	t := newTruth(s.version(ctx, "/usr/sbin/sshd", "-?"), s.attempts)
	return writeBoth(filepath.Join(dir, "openssh-9.2-journal.json"), log, t)
}

// recordDebian13 has OpenSSH 10 penalise a source that goes on and on.
func recordDebian13(ctx context.Context, dir, root string) error {
	s, err := open()
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.StartSyslog(ctx, daemon.Syslog{}); err != nil {
		return err
	}
	if err := s.StartSSHD(ctx, daemon.SSHD{Root: root, Config: "LoginGraceTime 2\n"}); err != nil {
		return err
	}
	if err := s.play(ctx, append(sshSteps(), stall)); err != nil {
		return err
	}
	for range 8 {
		attempts, err := s.WrongPasswords(ctx, netip.MustParseAddr("198.51.100.77"), "root", 1)
		if err != nil {
			return err
		}
		s.attempts = append(s.attempts, attempts...)
	}
	return s.saveSSH(ctx, "auth-3339.log", filepath.Join(dir, "openssh-10.0-rfc3339.log"), root)
}

// saveSSH writes a log of sshd once all of it is there.
func (s *studio) saveSSH(ctx context.Context, log, path, root string) error {
	if _, err := s.Login(ctx, last); err != nil {
		return err
	}
	if err := s.Await(ctx, log, "Disconnected from user", last.String()); err != nil {
		return err
	}
	text, err := os.ReadFile(s.Log(log))
	if err != nil {
		return err
	}
	version := s.version(ctx, "/usr/sbin/sshd", "-?")
	if root != "" {
		version = s.version(ctx, "chroot", root, "/usr/sbin/sshd", "-?")
	}
	return writeBoth(path, text, newTruth(version, seenIn(text, s.attempts)))
}

func recordApache(ctx context.Context, dir string) error {
	s, err := open()
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.StartApache(ctx, daemon.Apache{LogLevel: "info"}); err != nil {
		return err
	}
	if err := s.play(ctx, webSteps()); err != nil {
		return err
	}
	if _, err := s.Get(ctx, last, 0, "/last"); err != nil {
		return err
	}
	version := s.version(ctx, "/usr/sbin/apache2", "-v")
	for _, log := range []string{"access", "vhost", "custom", "error"} {
		if err := s.Await(ctx, "apache2/"+log+".log", last.String(), "/last"); err != nil {
			return err
		}
		text, err := os.ReadFile(s.Log("apache2/" + log + ".log"))
		if err != nil {
			return err
		}
		attempts := seenIn(text, s.attempts)
		if log == "custom" {
			// Without the user's name a wrong password looks like the challenge before it.
			attempts = slices.DeleteFunc(attempts, func(a daemon.Attempt) bool { return a.Kind == attack.HTTPAuth })
		}
		if err := writeBoth(filepath.Join(dir, "apache-2.4-"+log+".log"), text, newTruth(version, attempts)); err != nil {
			return err
		}
	}
	return nil
}
