package spool

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
)

// These tests run this program once more as another process, which the variable tells what to do
// in which directory.
const (
	childTask = "SPOOL_TEST_TASK"
	childDir  = "SPOOL_TEST_DIR"
)

func TestMain(m *testing.M) {
	tasks := map[string]func(dir string) error{"commit": commitForever, "fill": fillDisk}
	if task, ok := tasks[os.Getenv(childTask)]; ok {
		if err := task(os.Getenv(childDir)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func child(t *testing.T, task, dir string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childTask+"="+task, childDir+"="+dir)
	cmd.Stderr = os.Stderr
	return cmd
}

// commitForever commits five events at a time and prints the next number after each commit.
func commitForever(dir string) error {
	s, err := Open(Options{Dir: dir, Agent: "web"})
	if err != nil {
		return err
	}
	s.segmentBytes = 4 << 10
	for {
		n := int(s.Next())
		if err := s.Commit(eventsFrom(n, 5), map[string][]byte{"position": fmt.Append(nil, n+5)}); err != nil {
			return err
		}
		fmt.Println(s.Next())
	}
}

// A process is killed in the middle of its commits, again and again: what it said was committed
// is there, and the position fits the events.
func TestKilledWhileCommitting(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(1, 1))
	var said uint64
	for range 12 {
		cmd := child(t, "commit", dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range 1 + random.IntN(40) {
			if !lines.Scan() {
				t.Fatal("the process ended by itself")
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for ok := true; ok; ok = lines.Scan() {
			if said, err = strconv.ParseUint(lines.Text(), 10, 64); err != nil {
				t.Fatal(err)
			}
		}
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("the process ended with %v", err)
		}
		s := open(t, Options{Dir: dir})
		if next := s.Next(); next < said || next > said+5 || state(s)["position"] != fmt.Sprint(next) {
			t.Fatalf("next %d with position %s after %d was committed", next, state(s)["position"], said)
		}
		s.Close()
	}
	s := open(t, Options{Dir: dir})
	got := users(t, s, 0, 1<<16)
	for n := uint64(1); n < s.Next(); n++ {
		if got[n] != fmt.Sprint("user-", n) {
			t.Fatalf("event %d is %q", n, got[n])
		}
	}
	if uint64(len(got)) != s.Next()-1 {
		t.Errorf("%d events, want %d", len(got), s.Next()-1)
	}
}

// The disk is really full: a tmpfs of 512 KiB in a mount namespace of its own.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	cmd := child(t, "fill", t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	if out, err := cmd.Output(); err != nil {
		t.Errorf("cannot fill a disk in a user namespace: %v\n%s", err, out)
	}
}

func fillDisk(dir string) error {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=512k"); err != nil {
		return fmt.Errorf("cannot mount a tmpfs: %w", err)
	}
	s, err := Open(Options{Dir: dir, Agent: "web"})
	if err != nil {
		return err
	}
	if err := s.SetConsumers([]string{"desk"}); err != nil {
		return err
	}
	s.segmentBytes = 64 << 10
	fill := func() error {
		for {
			n := int(s.Next())
			err := s.Commit(eventsFrom(n, 50), map[string][]byte{"position": fmt.Append(nil, n+50)})
			if err != nil {
				return err
			}
		}
	}
	for range 5 {
		before := s.Next()
		if err := fill(); !errors.Is(err, syscall.ENOSPC) {
			return fmt.Errorf("a full disk gave %w", err)
		}
		if s.Next() == before {
			return fmt.Errorf("no commit went through after %d events were acknowledged", before-1)
		}
		first, count, _, err := s.Read(s.Stats().Acked["desk"], 1<<10)
		if err != nil || first != s.Stats().Acked["desk"]+1 || count == 0 {
			return fmt.Errorf("on a full disk %d events from %d were read, %w", count, first, err)
		}
		if err := s.Ack("desk", epochOf(s, "desk"), s.Next()-1); err != nil { // which makes room
			return err
		}
	}
	// A kill on the full disk, and a restart.
	fill()
	next, position := s.Next(), string(s.state["position"])
	abandon(s)
	s, err = Open(Options{Dir: dir, Agent: "web"})
	if err != nil {
		return err
	}
	if s.Next() != next || string(s.state["position"]) != position {
		return fmt.Errorf("next %d with position %s, want %d with %s", s.Next(), s.state["position"], next, position)
	}
	return nil
}
