package pairing

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// invite makes a token of k.
func invite(t *testing.T, k *Keyring, invitations *Invitations) (Token, *Invitation) {
	t.Helper()
	invitation, err := invitations.Invite()
	if err != nil {
		t.Fatal(err)
	}
	return Token{
		Role: k.Role(), Name: k.Name(), Key: k.Key(), Secret: invitation.Secret,
		Addresses: []string{"192.0.2.1:7483"},
	}, invitation
}

func join(t *testing.T, k, listener *Keyring, invitations *Invitations, token Token) (Peer, accepted, error) {
	t.Helper()
	dialled, listening := wire(t)
	ctx := bounded(t)
	result := acceptOn(ctx, listener, listening, invitations)
	peer, err := k.Join(ctx, dialled, token, token.Addresses)
	return peer, <-result, err
}

func TestJoin(t *testing.T) {
	t.Parallel()
	agent, display := open(t, Agent, "web1"), open(t, Display, "desk")
	var invitations Invitations
	token, invitation := invite(t, agent, &invitations)
	peer, answer, err := join(t, display, agent, &invitations, token)
	if err != nil || answer.err != nil {
		t.Fatalf("join: %v; accept: %v", err, answer.err)
	}
	if peer.Name != "web1" || answer.joined.Name != "desk" {
		t.Errorf("paired %q with %q", peer.Name, answer.joined.Name)
	}
	if waited, err := invitation.Wait(t.Context()); err != nil || waited.Key != display.Key() {
		t.Errorf("the invitation was redeemed by %v, %v", waited.Key, err)
	}
	if invitations.Pending() {
		t.Error("an invitation is still pending")
	}
	mustMeet(t, reopen(t, display.Dir(), Display, "desk"), reopen(t, agent.Dir(), Agent, "web1"))
}

func TestTokenWorksOnce(t *testing.T) {
	t.Parallel()
	agent, thief := open(t, Agent, "web1"), open(t, Display, "thief")
	var invitations Invitations
	token, _ := invite(t, agent, &invitations)
	if _, _, err := join(t, open(t, Display, "desk"), agent, &invitations, token); err != nil {
		t.Fatal(err)
	}
	if _, _, err := join(t, thief, agent, &invitations, token); !errors.Is(err, ErrNoInvitation) {
		t.Errorf("with no other invitation: %v", err)
	}
	invite(t, agent, &invitations)
	if _, _, err := join(t, thief, agent, &invitations, token); !errors.Is(err, ErrJoinRefused) {
		t.Errorf("with another invitation: %v", err)
	}
	if len(agent.Peers()) != 1 || len(thief.Peers()) != 0 {
		t.Errorf("the agent has %v, the thief %v", agent.Peers(), thief.Peers())
	}
}

func TestJoinRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		prepare func(t *testing.T, agent, display *Keyring, token *Token)
		want    string
	}{
		{"wrong secret", func(_ *testing.T, _, _ *Keyring, token *Token) {
			token.Secret[3] ^= 1
		}, "was used before, has expired or was withdrawn"},
		{"another key answers", func(t *testing.T, _, _ *Keyring, token *Token) {
			token.Key = open(t, Agent, "web1").Key()
		}, ErrWrongKey.Error()},
		{"own token", func(_ *testing.T, _, display *Keyring, token *Token) {
			token.Key = display.Key()
		}, "this machine's own"},
		{"two displays", func(_ *testing.T, _, _ *Keyring, token *Token) {
			token.Role = Display
		}, "redeem it with pialert-agent"},
		{"the listener knows another of that name", func(t *testing.T, agent, _ *Keyring, _ *Token) {
			befriend(t, agent, open(t, Display, "desk"))
		}, "pialert-agent unpair desk"},
		{"the dialler knows another of that name", func(t *testing.T, _, display *Keyring, _ *Token) {
			befriend(t, display, open(t, Agent, "web1"))
		}, "pialert-display unpair web1"},
		{"the token names another", func(_ *testing.T, _, _ *Keyring, token *Token) {
			token.Name = "web2"
		}, `"web1" answers`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			agent, display := open(t, Agent, "web1"), open(t, Display, "desk")
			var invitations Invitations
			token, _ := invite(t, agent, &invitations)
			test.prepare(t, agent, display, &token)
			atAgent, atDisplay := agent.Peers(), display.Peers()
			_, answer, err := join(t, display, agent, &invitations, token)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
			if answer.err == nil {
				t.Error("the listener sees no error")
			}
			if len(agent.Peers()) != len(atAgent) || len(display.Peers()) != len(atDisplay) {
				t.Errorf("afterwards the agent has %v, the display %v", agent.Peers(), display.Peers())
			}
			if !invitations.Pending() {
				t.Error("the failure used the invitation up")
			}
		})
	}
}

// TestJoinCutShort ends the exchange after each message: neither may keep the other, unless the
// listening end has been told that the dialling end keeps it.
func TestJoinCutShort(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		replies func(io.ReadWriter) // what the listening end still says before it falls silent
	}{
		{"before the reply", func(io.ReadWriter) {}},
		{"before it is done", func(conn io.ReadWriter) {
			send(conn, &pialertv1.JoinReply{Name: "web1"})
			receive(conn, &pialertv1.JoinConfirm{})
		}},
	} {
		t.Run("listener stops "+test.name, func(t *testing.T) {
			display := open(t, Display, "desk")
			near, far := net.Pipe()
			go func() {
				receive(far, &pialertv1.JoinRequest{})
				test.replies(far)
				far.Close()
			}()
			token := Token{Role: Agent, Name: "web1", Key: open(t, Agent, "web1").Key()}
			peer := Peer{Name: token.Name, Role: token.Role, Key: token.Key}
			if err := display.redeem(near, token, peer); err == nil {
				t.Error("no error")
			}
			if peers := display.Peers(); len(peers) > 0 {
				t.Errorf("the display keeps %v", peers)
			}
		})
	}
	t.Run("dialler stops before it confirms", func(t *testing.T) {
		agent := open(t, Agent, "web1")
		near, far := net.Pipe()
		go func() {
			receive(far, &pialertv1.JoinReply{})
			far.Close()
		}()
		peer := Peer{Name: "desk", Role: Display, Key: open(t, Display, "desk").Key()}
		if err := agent.prepare(near, peer); err == nil {
			t.Error("no error")
		}
	})
}

func TestJoinAgainRefreshesAddresses(t *testing.T) {
	t.Parallel()
	agent, display := open(t, Agent, "web1"), open(t, Display, "desk")
	var invitations Invitations
	token, _ := invite(t, agent, &invitations)
	if _, _, err := join(t, display, agent, &invitations, token); err != nil {
		t.Fatal(err)
	}
	token, _ = invite(t, agent, &invitations)
	token.Addresses = []string{"web1.example.org:7483"}
	if _, _, err := join(t, display, agent, &invitations, token); err != nil {
		t.Fatal(err)
	}
	peers := display.Peers()
	if len(peers) != 1 || peers[0].Addresses[0] != "web1.example.org:7483" {
		t.Errorf("the display has %v", peers)
	}
}
