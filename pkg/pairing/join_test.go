package pairing

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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
	peer, err := k.Join(ctx, dialled, token, token.Addresses, func() {})
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
	if _, _, err := join(t, thief, agent, &invitations, token); !errors.Is(err, ErrNoInvitation) {
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
		}, ErrNoInvitation.Error()},
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
		if err := agent.prepare(near, peer, func() error { return nil }); err == nil {
			t.Error("no error")
		}
	})
}

// A listener that can no longer keep the newcomer says so at the end, in words.
func TestJoinRefusedAtTheEnd(t *testing.T) {
	t.Parallel()
	display := open(t, Display, "desk")
	near, far := wire(t)
	go func() {
		receive(far, &pialertv1.JoinRequest{})
		send(far, &pialertv1.JoinReply{Name: "web1"})
		receive(far, &pialertv1.JoinConfirm{})
		send(far, &pialertv1.JoinDone{Refusal: "the token has \x1bexpired"})
	}()
	token := Token{Role: Agent, Name: "web1", Key: open(t, Agent, "web1").Key()}
	err := display.redeem(near, token, Peer{Name: token.Name, Role: token.Role, Key: token.Key})
	if !errors.Is(err, ErrJoinRefused) || !strings.HasSuffix(err.Error(), `the token has \x1bexpired`) {
		t.Errorf("it hears %q", err)
	}
	if peers := display.Peers(); len(peers) > 0 {
		t.Errorf("the display keeps %v", peers)
	}
}

// Only a valid token makes its bearer more than a stranger.
func TestAValidTokenIsTrusted(t *testing.T) {
	t.Parallel()
	for _, valid := range []bool{true, false} {
		agent, display := open(t, Agent, "web1"), open(t, Display, "desk")
		var invitations Invitations
		token, _ := invite(t, agent, &invitations)
		if !valid {
			token.Secret[0] ^= 1
		}
		dialled, listening := wire(t)
		trusted := make(chan bool, 1)
		go func() {
			told := false
			agent.Accept(bounded(t), listening, &invitations, func() { told = true })
			trusted <- told
		}()
		reached := false
		display.Join(bounded(t), dialled, token, nil, func() { reached = true })
		if got := <-trusted; got != valid || !reached {
			t.Errorf("valid %v: it is trusted %v, and reached %v", valid, got, reached)
		}
	}
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

// What a stranger with a wrong token gets is the same, byte for byte, whether or not a token could be
// redeemed.
func TestAPendingInvitationCannotBeSeen(t *testing.T) {
	t.Parallel()
	stranger := open(t, Display, "stranger")
	heard := func(invitations *Invitations, agent *Keyring) (replies []*pialertv1.JoinReply, alert error) {
		dialled, listening := wire(t)
		ctx := bounded(t)
		result := acceptOn(ctx, agent, listening, invitations)
		state := stranger.snapshot()
		conn := state.client(dialled, protocolJoin, agent.Key())
		defer conn.Close()
		if err := conn.HandshakeContext(ctx); err != nil {
			t.Fatal(err)
		}
		if err := send(conn, &pialertv1.JoinRequest{Secret: make([]byte, SecretSize), Name: "stranger", Role: pialertv1.Role_ROLE_DISPLAY}); err != nil {
			t.Fatal(err)
		}
		for {
			reply := new(pialertv1.JoinReply)
			if err := receive(conn, reply); err != nil {
				<-result
				return replies, err
			}
			replies = append(replies, reply)
		}
	}
	agent := open(t, Agent, "web1")
	var pending Invitations
	invite(t, agent, &pending)
	want, wantErr := heard(&pending, agent)
	for name, invitations := range map[string]*Invitations{"none is pending": {}, "none can ever be": nil} {
		got, err := heard(invitations, agent)
		if fmt.Sprint(got) != fmt.Sprint(want) || err.Error() != wantErr.Error() || len(got) != 1 {
			t.Errorf("%s: it hears %v and %v, otherwise %v and %v", name, got, err, want, wantErr)
		}
	}
}

// The owner is asked before anybody is paired, and is told who came.
func TestTheOwnerIsAsked(t *testing.T) {
	t.Parallel()
	for _, welcome := range []bool{true, false} {
		t.Run(fmt.Sprint("welcome ", welcome), func(t *testing.T) {
			t.Parallel()
			agent, display := open(t, Agent, "web1"), open(t, Display, "desk")
			var invitations Invitations
			token, invitation := invite(t, agent, &invitations)
			invitation.Ask()
			asked := make(chan error, 1)
			go func() {
				candidate, err := invitation.Asked(t.Context())
				if err == nil && (candidate.Name != "desk" || candidate.Key != display.Key() || candidate.Role != Display || candidate.From == "") {
					err = fmt.Errorf("%+v came", candidate)
				}
				if len(agent.Peers()) > 0 {
					err = errors.New("it was paired before the owner answered")
				}
				asked <- errors.Join(err, invitation.Answer(t.Context(), welcome))
			}()
			_, answer, err := join(t, display, agent, &invitations, token)
			if err := <-asked; err != nil {
				t.Error(err)
			}
			if welcome {
				if err != nil || answer.err != nil || len(agent.Peers()) != 1 {
					t.Errorf("join: %v; accept: %v", err, answer.err)
				}
				return
			}
			if !errors.Is(err, ErrJoinRefused) || len(agent.Peers())+len(display.Peers()) > 0 {
				t.Errorf("who was not welcome hears %v; the agent has %v", err, agent.Peers())
			}
			if _, err := invitation.Wait(t.Context()); !errors.Is(err, ErrRefusedHere) {
				t.Errorf("the owner's token: %v", err)
			}
			if _, _, err := join(t, display, agent, &invitations, token); !errors.Is(err, ErrNoInvitation) {
				t.Errorf("the same token again: %v", err)
			}
		})
	}
}

// An owner who does not answer lets nobody in.
func TestTheOwnerDoesNotAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var invitations Invitations
		invitation, _ := invitations.Invite()
		invitation.Ask()
		began := time.Now()
		if err := invitation.approve(t.Context(), Candidate{}); !errors.Is(err, errNoAnswer) || time.Since(began) != AnswerTimeout {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

// A peer that announces the key of another machine as its next one keeps that machine from nothing.
func TestAnAnnouncedKeyBlocksNoPairing(t *testing.T) {
	t.Parallel()
	display, liar, victim := open(t, Display, "desk"), open(t, Agent, "liar"), open(t, Agent, "victim")
	befriend(t, display, liar)
	if err := display.learn(liar.Key(), victim.Key().bytes(), nil); err != nil {
		t.Fatal(err)
	}
	var invitations Invitations
	token, _ := invite(t, display, &invitations)
	if _, answer, err := join(t, victim, display, &invitations, token); err != nil || answer.err != nil {
		t.Fatalf("the victim cannot pair: %v, %v", err, answer.err)
	}
	mustMeet(t, display, victim)
	if peer, err := display.Peer("liar"); err != nil || !peer.NextKey.IsZero() {
		t.Errorf("the liar is kept as %+v, %v", peer, err)
	}
	// Nor can it take the key of a machine that is paired.
	if err := display.learn(liar.Key(), victim.Key().bytes(), nil); err == nil {
		t.Error("it announced the key of a paired machine")
	}
	mustMeet(t, display, reopen(t, victim.Dir(), Agent, "victim"))
}
