package journal

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/header"
	"github.com/pialert/pialert/agent/internal/source"
	"github.com/pialert/pialert/agent/internal/source/sourcetest"
)

// journald is a systemd-journald of the test's own, in a mount namespace of its own.
type journald struct {
	t       *testing.T
	command []string // runs journalctl there
	root    string   // its file system
	socket  string
	process *os.Process
}

// readers are the ways to its journal.
func (j *journald) readers() map[string]Options {
	folders := []string{j.root + "/var/log/journal", j.root + "/run/log/journal"}
	return map[string]Options{
		"journalctl": {Name: "auth", Command: j.command, Folders: folders, Poll: time.Millisecond},
		"files":      {Name: "auth", Command: []string{"/nowhere/journalctl"}, Folders: folders},
	}
}

func startJournald(t *testing.T) *journald {
	t.Helper()
	child := exec.Command("unshare", "--mount", "--propagation=private", "sh", "-ec", `
		mount -t tmpfs tmpfs /run
		mkdir -p /run/systemd/journal /run/log/journal
		mount -t tmpfs tmpfs /var/log
		exec /lib/systemd/systemd-journald`)
	child.Stderr = os.Stderr
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer notify.Close()
	child.Env = append(os.Environ(), "NOTIFY_SOCKET="+notify.LocalAddr().String())
	if err := child.Start(); err != nil {
		t.Fatalf("cannot start systemd-journald, which needs root, unshare and Debian's package systemd: %v", err)
	}
	t.Cleanup(func() {
		child.Process.Signal(syscall.SIGTERM)
		child.Wait()
	})
	notify.SetReadDeadline(time.Now().Add(20 * time.Second))
	for message := make([]byte, 4096); ; {
		n, err := notify.Read(message)
		if err != nil {
			t.Fatalf("systemd-journald did not start; are we root? %v", err)
		}
		if strings.Contains(string(message[:n]), "READY=1") {
			break
		}
	}
	pid := strconv.Itoa(child.Process.Pid)
	return &journald{
		t: t, command: []string{"nsenter", "--mount", "--target", pid, "journalctl"},
		root:   filepath.Join("/proc", pid, "root"),
		socket: filepath.Join("/proc", pid, "root/run/systemd/journal/dev-log"), process: child.Process,
	}
}

// log sends a message as syslog(3) does, as root.
func (j *journald) log(facility int, tag, message string) {
	j.t.Helper()
	connection, err := net.Dial("unixgram", j.socket)
	if err != nil {
		j.t.Fatal(err)
	}
	defer connection.Close()
	if _, err := connection.Write([]byte("<" + strconv.Itoa(facility<<3|6) + ">" + tag + "[99]: " + message)); err != nil {
		j.t.Fatal(err)
	}
}

// await returns when the journal holds a message: a write to its socket returns before that.
func (j *journald) await(message string) {
	j.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		out, err := exec.Command(j.command[0], append(j.command[1:len(j.command):len(j.command)], "--quiet", "--output=cat")...).CombinedOutput()
		if err == nil && strings.Contains(string(out), message) {
			return
		}
		if time.Now().After(deadline) {
			j.t.Fatalf("the journal does not have %q: %v: %s", message, err, out)
		}
	}
}

// logAs has another user call logger.
func (j *journald) logAs(uid uint32, tag, message string) {
	j.t.Helper()
	logger := exec.Command("nsenter", append(j.command[1:4:4], "setpriv", "--reuid="+strconv.Itoa(int(uid)), "--clear-groups",
		"logger", "-u", "/run/systemd/journal/dev-log", "-p", "auth.info", "-t", tag, message)...)
	if out, err := logger.CombinedOutput(); err != nil {
		j.t.Fatalf("logger: %v: %s", err, out)
	}
}

// start runs a journal until stop is called.
func start(t *testing.T, r *sourcetest.Receiver, options Options) (journal *Journal, stop func()) {
	t.Helper()
	options.Restore = r.Restore
	journal = New(options)
	return journal, r.Start(journal)
}

// wantMessage blocks until a line with the message has arrived, which must be the next one.
func wantMessage(t *testing.T, r *sourcetest.Receiver, message string) {
	t.Helper()
	if line := sourcetest.Receive(t, r.Lines); !strings.HasSuffix(line, ": "+message) {
		t.Fatalf("read %q, want message %q", line, message)
	}
}

// Both ways of reading give the same lines, and one goes on where the other stopped.
func TestJournal(t *testing.T) {
	t.Parallel()
	for _, ways := range [][2]string{{"journalctl", "journalctl"}, {"files", "files"}, {"journalctl", "files"}, {"files", "journalctl"}} {
		t.Run(ways[0]+", then "+ways[1], func(t *testing.T) {
			t.Parallel()
			testJournal(t, ways[0], ways[1])
		})
	}
}

func testJournal(t *testing.T, first, second string) {
	daemon := startJournald(t)
	daemon.log(4, "sshd", "before the first start")
	daemon.await("before the first start")
	r := sourcetest.New(t)
	journal, stop := start(t, r, daemon.readers()[first])
	r.WantMark("journal:auth")

	daemon.log(4, "sshd", "Invalid user admin from 192.0.2.7 port 50022")
	line := sourcetest.Receive(t, r.Lines)
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ = strings.Cut(line, "auth: ")
	stamp, rest, _ := strings.Cut(line, " ")
	if _, err := time.Parse("2006-01-02T15:04:05.000000-07:00", stamp); err != nil {
		t.Errorf("line %q: %v", line, err)
	}
	if want := host + " sshd[" + strconv.Itoa(os.Getpid()) + "]: Invalid user admin from 192.0.2.7 port 50022"; rest != want {
		t.Errorf("line %q, want %q after the time", rest, want)
	}

	daemon.log(3, "daemon", "another facility")
	daemon.logAs(65534, "sshd", "Failed password for root from 203.0.113.66 port 22 ssh2")
	daemon.log(10, "sshd", "after a forgery")
	wantMessage(t, r, "after a forgery")

	stop() // a batch is in the statistics once it was taken
	if stats := journal.Stats()[0]; stats.Untrusted != 1 {
		t.Errorf("stats %+v, want one untrusted entry", stats)
	}
	for i := range 2000 {
		daemon.log(4, "sshd", "while down "+strconv.Itoa(i))
	}
	_, stop = start(t, r, daemon.readers()[second])
	for i := range 2000 {
		wantMessage(t, r, "while down "+strconv.Itoa(i))
	}
	daemon.log(4, "sshd", "and on")
	wantMessage(t, r, "and on")
	stop()
}

// What the journal held is read with who sent it, so that whoever reads can tell a forger; by journalctl and from the files.
func TestReadWithSenders(t *testing.T) {
	t.Parallel()
	daemon := startJournald(t)
	daemon.log(4, "sshd", "Invalid user admin from 192.0.2.7 port 50022")
	daemon.logAs(65534, "sshd", "Failed password for root from 203.0.113.66 port 22 ssh2")
	daemon.log(4, "sshd", "the end")
	daemon.await("the end")
	trust := &header.Trust{RootOnly: map[string]bool{"sshd": true}}
	for name, options := range daemon.readers() {
		var out bytes.Buffer
		if err := New(options).Read(t.Context(), time.Time{}, time.Time{}, &out); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var messages []string
		for entry := range strings.Lines(out.String()) {
			line, err := header.Unwrap([]byte(entry), trust)
			_, message, _ := strings.Cut(string(line), "]: ")
			if errors.Is(err, header.ErrUntrusted) {
				message = "forged"
			}
			messages = append(messages, message)
		}
		if want := []string{"Invalid user admin from 192.0.2.7 port 50022", "forged", "the end"}; !slices.Equal(messages, want) {
			t.Errorf("%s: %q, want %q", name, messages, want)
		}
	}
}

// journald rotates its journals, and copies what it kept in memory to the disk: each entry comes once.
func TestRotationAndFlush(t *testing.T) {
	t.Parallel()
	for _, reader := range []string{"files", "journalctl"} {
		t.Run(reader, func(t *testing.T) {
			t.Parallel()
			rotateAndFlush(t, reader)
		})
	}
}

func rotateAndFlush(t *testing.T, reader string) {
	daemon := startJournald(t)
	r := sourcetest.New(t)
	_, stop := start(t, r, daemon.readers()[reader])
	r.WantMark("journal:auth")
	n := 0
	write := func(entries int) {
		for range entries {
			daemon.log(4, "sshd", "entry "+strconv.Itoa(n))
			n++
		}
		for i := n - entries; i < n; i++ {
			wantMessage(t, r, "entry "+strconv.Itoa(i))
		}
	}
	for _, signal := range []syscall.Signal{syscall.SIGUSR2, syscall.SIGUSR2, syscall.SIGUSR1, syscall.SIGUSR2} {
		write(50)
		if signal == syscall.SIGUSR1 { // flush, once there is a place for it
			if err := os.MkdirAll(daemon.root+"/var/log/journal", 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := daemon.process.Signal(signal); err != nil {
			t.Fatal(err)
		}
	}
	write(50)
	daemon.await("entry " + strconv.Itoa(n-1))
	if files, err := filepath.Glob(daemon.root + "/var/log/journal/*/system*.journal"); err != nil || len(files) < 2 {
		t.Errorf("on the disk are %v, error %v: nothing was flushed and rotated", files, err)
	}
	stop()
	_, stop = start(t, r, daemon.readers()[reader])
	write(1) // and nothing twice
	stop()
}

// journald deletes its oldest journals when they take too much room, and with them the entry that was read last: the
// oldest one that is left comes next.
func TestVacuumedWhileAway(t *testing.T) {
	t.Parallel()
	for _, reader := range []string{"files", "journalctl"} {
		t.Run(reader, func(t *testing.T) {
			t.Parallel()
			daemon := startJournald(t)
			r := sourcetest.New(t)
			_, stop := start(t, r, daemon.readers()[reader])
			r.WantMark("journal:auth")
			daemon.log(4, "sshd", "read")
			wantMessage(t, r, "read")
			stop()

			rotated := func() (files []string) {
				files, err := filepath.Glob(daemon.root + "/run/log/journal/*/system@*.journal")
				if err != nil {
					t.Fatal(err)
				}
				return files
			}
			daemon.log(4, "sshd", "deleted")
			daemon.await("deleted")
			if err := daemon.process.Signal(syscall.SIGUSR2); err != nil {
				t.Fatal(err)
			}
			for deadline := time.Now().Add(20 * time.Second); len(rotated()) == 0; daemon.await("deleted") {
				if time.Now().After(deadline) {
					t.Fatal("nothing was rotated")
				}
			}
			for _, file := range rotated() {
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
			}
			daemon.log(4, "sshd", "first")
			daemon.log(4, "sshd", "second")
			daemon.await("second")
			_, stop = start(t, r, daemon.readers()[reader])
			wantMessage(t, r, "first")
			wantMessage(t, r, "second")
			stop()
		})
	}
}

// fakeJournalctl is a script in journalctl's place.
func fakeJournalctl(t *testing.T, script string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journalctl")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return []string{"sh", path}
}

func TestJournalStartsAgain(t *testing.T) {
	t.Parallel()
	// The script plays one entry for each start, numbered after the cursor that it is given, and fails.
	command := fakeJournalctl(t, `
		n=0
		for argument; do case $argument in --cursor=c*) n=${argument#--cursor=c};; esac; done
		n=$((n+1))
		echo '{"__CURSOR":"c'$n'","__REALTIME_TIMESTAMP":"1","SYSLOG_IDENTIFIER":"sshd","_UID":"0","MESSAGE":"entry '$n'"}'
		echo 'half an en'
		printf '{"__CURSOR":"c99","MESS'
		echo 'Failed to iterate through journal' >&2
		exit 1`)
	r := sourcetest.New(t)
	var log bytes.Buffer
	journal, stop := start(t, r, Options{
		Name: "auth", Start: source.Beginning, Command: command, Backoff: time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	for _, message := range []string{"entry 1", "entry 2", "entry 3", "entry 4"} {
		wantMessage(t, r, message)
	}
	stop()
	if stats := journal.Stats()[0]; stats.Errors < 3 || !strings.Contains(log.String(), "Failed to iterate") {
		t.Errorf("stats %+v, log:\n%s", stats, log.String())
	}
}

func TestJournalLeavesOutLongEntries(t *testing.T) {
	t.Parallel()
	command := fakeJournalctl(t, `
		head -c 1000000 /dev/zero | tr '\0' x
		echo
		echo '{"__CURSOR":"c1","__REALTIME_TIMESTAMP":"1","SYSLOG_IDENTIFIER":"sshd","_UID":"0","MESSAGE":"after it"}'
		exec sleep 60`)
	r := sourcetest.New(t)
	journal, stop := start(t, r, Options{Name: "auth", Start: source.Beginning, Command: command})
	wantMessage(t, r, "after it")
	stop()
	if stats := journal.Stats()[0]; stats.Overlong != 1 {
		t.Errorf("stats %+v, want one entry that is too long", stats)
	}
}

func TestJournalErrors(t *testing.T) {
	t.Parallel()
	ignore := func(context.Context, source.Chunk) error { return nil }
	journal := New(Options{Command: []string{"/nowhere/journalctl"}, Folders: []string{t.TempDir()}})
	err := journal.Run(t.Context(), ignore)
	if !errors.Is(err, source.ErrUnavailable) || journal.Stats()[0].State != source.Failing {
		t.Errorf("without journalctl: error %v, %+v", err, journal.Stats()[0])
	}
	full := errors.New("the spool is full")
	refuse := func(context.Context, source.Chunk) error { return full }
	err = New(Options{Start: source.Beginning, Command: []string{"true"}}).Run(t.Context(), refuse)
	if err != full {
		t.Errorf("when emit fails: error %v", err)
	}
}
