package control_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/pkg/control"
)

type word struct {
	Text string `json:"text"`
}

// serve starts a program that shouts back, and returns its socket.
func serve(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "run", "control.sock")
	listener, err := control.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("POST /shout", control.Handle(func(_ context.Context, in word) (word, error) {
		if in.Text == "" {
			return word{}, errors.New("nothing to shout: give a text")
		}
		return word{strings.ToUpper(in.Text)}, nil
	}))
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- control.Serve(ctx, listener, mux) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return path
}

func TestCall(t *testing.T) {
	client := control.Client{Path: serve(t)}
	var out word
	if err := client.Call(t.Context(), "/shout", word{"ssh"}, &out); err != nil || out.Text != "SSH" {
		t.Errorf("got %q, error %v", out.Text, err)
	}
	if err := client.Call(t.Context(), "/shout", nil, &out); err == nil || err.Error() != "nothing to shout: give a text" {
		t.Errorf("the program's own words came as: %v", err)
	}
	if err := client.Call(t.Context(), "/shout", map[string]int{"volume": 11}, nil); err == nil || !strings.Contains(err.Error(), "volume") {
		t.Errorf("an unknown field: %v", err)
	}
	if err := client.Call(t.Context(), "/whisper", nil, nil); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("an unknown path: %v", err)
	}
}

func TestSocketIsForTheGroupOnly(t *testing.T) {
	info, err := os.Stat(serve(t))
	if err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
}

func TestNobodyServes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	if err := (control.Client{Path: path}).Call(t.Context(), "/", nil, nil); !errors.Is(err, control.ErrNotRunning) {
		t.Errorf("without a socket: %v", err)
	}
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	left.Close()
	if err := (control.Client{Path: path}).Call(t.Context(), "/", nil, nil); !errors.Is(err, control.ErrNotRunning) {
		t.Errorf("with the socket of a killed program: %v", err)
	}
	listener, err := control.Listen(path)
	if err != nil {
		t.Fatalf("the socket of a killed program is in the way: %v", err)
	}
	listener.Close()
}

// A program that is killed while it is asked leaves it unknown whether it did it.
func TestNoAnswer(t *testing.T) {
	for name, said := range map[string]string{"nothing": "", "half an answer": "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"} {
		path := filepath.Join(t.TempDir(), "control.sock")
		listener, err := control.Listen(path)
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		go func() {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			http.ReadRequest(bufio.NewReader(conn))
			conn.Write([]byte(said))
			conn.Close()
		}()
		var out struct{}
		if err := (control.Client{Path: path}).Call(t.Context(), "/", struct{}{}, &out); !errors.Is(err, control.ErrNoAnswer) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOnlyOneServes(t *testing.T) {
	if _, err := control.Listen(serve(t)); err == nil || !strings.Contains(err.Error(), "another program") {
		t.Errorf("a second program got the socket: %v", err)
	}
}

// A socket for some users is open to everybody's connections, but answers only theirs.
func TestOnlySomeUsersAreAnswered(t *testing.T) {
	me := uint32(os.Getuid())
	for user, answered := range map[uint32]bool{me: true, me + 1: false} {
		path := filepath.Join(t.TempDir(), "control.sock")
		listener, err := control.Listen(path, user)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o666 {
			t.Errorf("its mode is %v, error %v", info.Mode(), err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			done <- control.Serve(ctx, listener, control.Handle(func(_ context.Context, in word) (word, error) { return in, nil }))
		}()
		if err := (control.Client{Path: path}).Call(t.Context(), "/", word{"hello"}, nil); (err == nil) != answered {
			t.Errorf("user %d is asked for user %d: error %v", user, me, err)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestHandlerHearsThatTheCallerHasGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	listener, err := control.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	begun, ended := make(chan struct{}), make(chan error)
	handler := control.Handle(func(ctx context.Context, _ word) (word, error) {
		close(begun)
		<-ctx.Done()
		ended <- ctx.Err()
		return word{}, nil
	})
	done := make(chan error)
	serving, stop := context.WithCancel(context.Background())
	go func() { done <- control.Serve(serving, listener, handler) }()
	ctx, cancel := context.WithCancel(t.Context())
	go control.Client{Path: path}.Call(ctx, "/", word{"wait"}, nil)
	<-begun
	cancel()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the handler goes on")
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// An answer of any length arrives bit by bit, and one that breaks off is no whole one.
func TestStream(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "control.sock")
	listener, err := control.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	more := make(chan error)
	mux := http.NewServeMux()
	mux.Handle("/count", control.Stream(func(_ context.Context, _ struct{}, out control.Flusher) error {
		for n := 0; ; n++ {
			if err := <-more; err != nil {
				return err
			}
			fmt.Fprintln(out, n)
			out.Flush()
		}
	}))
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go control.Serve(ctx, listener, mux)
	client := control.Client{Path: path}

	go func() { more <- errors.New("not today") }()
	if _, err := client.Open(t.Context(), "/count", nil); err == nil || err.Error() != "not today" {
		t.Errorf("error %v, want what the program says", err)
	}
	go func() { more <- nil }()
	answer, err := client.Open(t.Context(), "/count", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Close()
	lines := bufio.NewScanner(answer)
	for n := range 3 {
		if !lines.Scan() || lines.Text() != fmt.Sprint(n) {
			t.Fatalf("line %d is %q", n, lines.Text())
		}
		if n < 2 {
			more <- nil
		}
	}
	more <- errors.New("broken")
	if lines.Scan() || lines.Err() == nil {
		t.Errorf("an answer that broke off ended with %v", lines.Err())
	}
}

// A path that somebody mistyped may hold anything but a socket; it is left alone.
func TestListenRemovesNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.yaml")
	if err := os.WriteFile(path, []byte("name: web1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := control.Listen(path); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "choose another path") {
		t.Errorf("the error is %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "name: web1\n" {
		t.Errorf("the file holds %q, error %v", text, err)
	}
}
