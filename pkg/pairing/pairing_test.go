package pairing

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"
)

// open returns the keyring of a new machine.
func open(t *testing.T, role Role, name string) *Keyring {
	t.Helper()
	return reopen(t, t.TempDir(), role, name)
}

func reopen(t *testing.T, dir string, role Role, name string) *Keyring {
	t.Helper()
	k, err := Open(dir, role, name)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// befriend pairs two machines without a connection.
func befriend(t *testing.T, a, b *Keyring) {
	t.Helper()
	for _, pair := range [][2]*Keyring{{a, b}, {b, a}} {
		other := Peer{Name: pair[1].Name(), Role: pair[1].Role(), Key: pair[1].Key(), Paired: time.Unix(1e9, 0)}
		if err := pair[0].Add(other); err != nil {
			t.Fatal(err)
		}
	}
}

// wire returns the two ends of a TCP connection: TLS needs the room that its buffers give.
func wire(t *testing.T) (dialled, accepted net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if dialled, err = net.Dial("tcp", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if accepted, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialled.Close(); accepted.Close() })
	return dialled, accepted
}

func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// accepted is what [Keyring.Accept] returned.
type accepted struct {
	session *Session
	joined  *Peer
	err     error
}

func acceptOn(ctx context.Context, k *Keyring, conn net.Conn, invitations *Invitations) <-chan accepted {
	result := make(chan accepted, 1)
	go func() {
		var a accepted
		a.session, a.joined, a.err = k.Accept(ctx, conn, invitations, func() {})
		result <- a
	}()
	return result
}

// meet opens a session between two machines, a dialling b.
func meet(t *testing.T, a, b *Keyring) (atA, atB *Session, errA, errB error) {
	t.Helper()
	ctx := bounded(t)
	dialled, listening := wire(t)
	result := acceptOn(ctx, b, listening, nil)
	atA, errA = a.Connect(ctx, dialled, b.Name())
	answer := <-result
	return atA, answer.session, errA, answer.err
}

func mustMeet(t *testing.T, a, b *Keyring) (atA, atB *Session) {
	t.Helper()
	atA, atB, errA, errB := meet(t, a, b)
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	return atA, atB
}
