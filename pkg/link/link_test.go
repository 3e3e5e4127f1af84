package link

import (
	"context"
	"testing"
	"time"

	"github.com/pialert/pialert/pkg/pairing"
)

func TestBothEndsMeet(t *testing.T) {
	t.Parallel()
	p := connected(t)
	agent, display := p.atAgent.next(t), p.atDisplay.next(t)
	if agent.Peer.Name != "desk" || display.Peer.Name != "web1" {
		t.Errorf("the ends see %s and %s", agent.Peer.Name, display.Peer.Name)
	}
	say(t, agent, display, "there")
	say(t, display, agent, "and back")
	for _, states := range [][]State{p.listener.States(), p.dialer.States()} {
		if len(states) != 1 || !states[0].Up || states[0].Connects != 1 {
			t.Errorf("the states are %+v", states)
		}
	}
}

func TestReconnect(t *testing.T) {
	t.Parallel()
	p := connected(t)
	p.atAgent.next(t).cut()
	display := p.atDisplay.next(t)
	wantClosed(t, display)
	display.Close()
	agent, again := p.atAgent.next(t), p.atDisplay.next(t)
	say(t, agent, again, "again")
	if states := p.dialer.States(); states[0].Connects != 2 {
		t.Errorf("the states are %+v", states)
	}
}

func TestUnpairCutsOpenConnections(t *testing.T) {
	t.Parallel()
	t.Run("at the end that listens", func(t *testing.T) {
		t.Parallel()
		p := connected(t)
		p.atAgent.next(t)
		display := p.atDisplay.next(t)
		if _, err := p.agent.Remove("desk"); err != nil {
			t.Fatal(err)
		}
		wantClosed(t, display)
	})
	t.Run("at the end that dials", func(t *testing.T) {
		t.Parallel()
		p := connected(t)
		agent := p.atAgent.next(t)
		p.atDisplay.next(t)
		if _, err := p.display.Remove("web1"); err != nil {
			t.Fatal(err)
		}
		wantClosed(t, agent)
	})
	t.Run("by another process", func(t *testing.T) {
		t.Parallel()
		p := connected(t)
		p.atAgent.next(t)
		display := p.atDisplay.next(t)
		command, err := pairing.Open(p.agent.Dir(), pairing.Agent, "web1")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := command.Remove("desk"); err != nil {
			t.Fatal(err)
		}
		if err := p.agent.Reload(); err != nil {
			t.Fatal(err)
		}
		wantClosed(t, display)
	})
}

func TestPairingWhileRunning(t *testing.T) {
	t.Parallel()
	p := connected(t)
	p.atAgent.next(t)
	p.atDisplay.next(t)
	second := keyring(t, pairing.Agent, "web2")
	sockets, address := listenLocal(t)
	atSecond := make(conns)
	start(t, func(ctx context.Context) error {
		return (&Listener{Keyring: second, Log: testLog(t)}).Run(ctx, sockets, atSecond.handle)
	})
	befriend(t, p.display, second, address)
	say(t, atSecond.next(t), p.atDisplay.next(t), "hello from the second")
}

// TestRotationReconnects changes a key while a connection is open: it is told over a new one,
// and the connection after that uses it.
func TestRotationReconnects(t *testing.T) {
	t.Parallel()
	for _, side := range []struct {
		name  string
		dials bool
	}{
		{"of the end that listens", false},
		{"of the end that dials", true},
	} {
		t.Run(side.name, func(t *testing.T) {
			t.Parallel()
			p := &pair{}
			p.start(t, drain, drain)
			k, other := p.agent, p.display
			if side.dials {
				k, other = other, k
			}
			next, err := k.Rotate()
			if err != nil {
				t.Fatal(err)
			}
			await(t, other, "the former key is not retired", func() bool {
				peer, _ := other.Peer(k.Name())
				return peer.Key == next
			})
			if k.Key() != next {
				t.Error("the key did not change")
			}
		})
	}
}

// TestNewestConnectionWins has a peer whose former connection is half dead connect again.
func TestNewestConnectionWins(t *testing.T) {
	t.Parallel()
	agent, display := keyring(t, pairing.Agent, "web1"), keyring(t, pairing.Display, "desk")
	sockets, address := listenLocal(t)
	befriend(t, display, agent, address)
	atAgent := make(conns)
	start(t, func(ctx context.Context) error {
		return (&Listener{Keyring: agent, Log: testLog(t)}).Run(ctx, sockets, atAgent.handle)
	})
	dialer := &Dialer{Keyring: display, Log: testLog(t)}
	first, err := dialer.open(t.Context(), "web1")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	former := atAgent.next(t)
	second, err := dialer.open(t.Context(), "web1")
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	select {
	case <-former.Done():
	case <-time.After(20 * time.Second):
		t.Fatal("the former connection is still open")
	}
	wantClosed(t, first)
	say(t, second, atAgent.next(t), "here I am")
}
