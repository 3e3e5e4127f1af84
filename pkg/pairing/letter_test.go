package pairing

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
)

const asked, told = "join.desk.web1", "join.web1.desk.reply"

// post is a display that invites by letters, and the token that it gave.
type post struct {
	*testing.T
	agent, display *Keyring
	invitations    Invitations
	invitation     *Invitation
	token          Token
}

func newPost(t *testing.T) *post {
	t.Helper()
	p := &post{T: t, agent: open(t, Agent, "web1"), display: open(t, Display, "desk")}
	p.invite()
	return p
}

func (p *post) invite() {
	p.Helper()
	var err error
	if p.invitation, err = p.invitations.Invite(); err != nil {
		p.Fatal(err)
	}
	p.token = Token{Role: Display, Name: "desk", Key: p.display.Key(), Secret: p.invitation.Secret}
}

func (p *post) write(agent *Keyring, token Token) []byte {
	p.Helper()
	letter, err := agent.WriteJoin(token, p.display.Public(), asked)
	if err != nil {
		p.Fatal(err)
	}
	return letter
}

// answer is what the display answers to a letter that opens.
func (p *post) answer(sealed []byte) (answer []byte, refusal error) {
	p.Helper()
	letter, err := p.display.ReadJoin(asked, sealed)
	if err != nil {
		p.Fatal(err)
	}
	refusal = p.display.AcceptJoin(p.Context(), &p.invitations, letter, "the broker")
	answer, err = p.display.AnswerJoin(letter, refusal, told)
	if err != nil {
		p.Fatal(err)
	}
	return answer, refusal
}

func TestPairingByLetters(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	answer, refusal := p.answer(p.write(p.agent, p.token))
	if refusal != nil {
		t.Fatal(refusal)
	}
	peer, err := p.agent.FinishJoin(p.token, answer, told)
	if err != nil || peer.Key != p.display.Key() || peer.Public != p.display.Public() {
		t.Fatalf("paired with %+v, %v", peer, err)
	}
	if known, err := p.display.Peer("web1"); err != nil || known.Key != p.agent.Key() || known.Public != p.agent.Public() {
		t.Errorf("the display knows %+v, %v", known, err)
	}
	if by, err := p.invitation.Wait(t.Context()); err != nil || by.Name != "web1" {
		t.Errorf("who invited hears of %+v, %v", by, err)
	}
	// The token is used, for everybody else.
	other := open(t, Agent, "web2")
	answer, refusal = p.answer(p.write(other, p.token))
	if !IsNotPending(refusal) {
		t.Errorf("the token is good twice: %v", refusal)
	}
	if _, err := other.FinishJoin(p.token, answer, told); !errors.Is(err, ErrNoInvitation) {
		t.Errorf("the second machine is told %v", err)
	}
	if len(other.Peers()) > 0 || len(p.display.Peers()) != 1 {
		t.Error("a machine that was refused is paired")
	}
}

// A carrier that alters, redirects, repeats or makes up letters pairs nobody.
func TestCarriersOfLettersPairNobody(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	request := p.write(p.agent, p.token)
	for i := range request {
		altered := bytes.Clone(request)
		altered[i] ^= 4
		if _, err := p.display.ReadJoin(asked, altered); !errors.Is(err, ErrNotSealed) {
			t.Fatalf("with byte %d altered it opens: %v", i, err)
		}
	}
	if _, err := p.display.ReadJoin("join.desk.web2", request); !errors.Is(err, ErrNotSealed) {
		t.Errorf("it opens on another subject: %v", err)
	}
	guessed := p.token
	guessed.Secret[0] ^= 1
	if _, refusal := p.answer(p.write(p.agent, guessed)); !IsNotPending(refusal) {
		t.Errorf("a guessed secret: %v", refusal)
	}
	answer, refusal := p.answer(request)
	if refusal != nil {
		t.Fatal(refusal)
	}
	stranger := open(t, Display, "desk")
	letter, err := p.display.ReadJoin(asked, request)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := stranger.AnswerJoin(letter, nil, told)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.agent.FinishJoin(p.token, forged, told); !errors.Is(err, ErrWrongKey) {
		t.Errorf("an answer of another key: %v", err)
	}
	for name, text := range map[string][]byte{"altered": append(bytes.Clone(answer[:len(answer)-1]), answer[len(answer)-1]^1), "cut": answer[:40], "empty": nil} {
		if _, err := p.agent.FinishJoin(p.token, text, told); !errors.Is(err, ErrNotSealed) {
			t.Errorf("an answer that is %s: %v", name, err)
		}
	}
	if _, err := p.agent.FinishJoin(p.token, answer, asked); !errors.Is(err, ErrNotSealed) {
		t.Errorf("an answer for another use: %v", err)
	}
	if len(p.agent.Peers()) > 0 {
		t.Fatalf("the agent is paired with %v", p.agent.Peers())
	}
	if _, err := p.agent.FinishJoin(p.token, answer, told); err != nil {
		t.Errorf("the true answer: %v", err)
	}
}

// An answer says who the display is; one of another name, or of the token's own role, pairs nobody.
func TestLettersToTheWrongMachine(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	if _, err := p.agent.WriteJoin(p.token, p.agent.Public(), asked); !errors.Is(err, ErrWrongKey) {
		t.Errorf("a request for another key than the token's: %v", err)
	}
	renamed := p.token
	renamed.Name = "office"
	answer, _ := p.answer(p.write(p.agent, p.token))
	if _, err := p.agent.FinishJoin(renamed, answer, told); err == nil || !strings.Contains(err.Error(), `the token is from office, but "desk" answers`) {
		t.Errorf("another name: %v", err)
	}
	if _, err := open(t, Display, "hall").WriteJoin(p.token, p.display.Public(), asked); err == nil {
		t.Error("a display redeems a display's token")
	}
}

// The owner may be asked; who is not wanted is told so, and the token works no longer.
func TestTheOwnerRefusesALetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPost(t)
		p.invitation.Ask()
		go func() {
			candidate, err := p.invitation.Asked(t.Context())
			if err != nil || candidate.Name != "web1" || candidate.From != "the broker" {
				t.Errorf("the owner is asked about %+v, %v", candidate, err)
			}
			if err := p.invitation.Answer(context.Background(), false); err != nil {
				t.Error(err)
			}
		}()
		answer, refusal := p.answer(p.write(p.agent, p.token))
		if refusal == nil {
			t.Fatal("who is not wanted is paired")
		}
		if _, err := p.agent.FinishJoin(p.token, answer, told); !errors.Is(err, ErrJoinRefused) {
			t.Errorf("it is told %v", err)
		}
		if _, err := p.invitation.Wait(t.Context()); !errors.Is(err, ErrRefusedHere) {
			t.Errorf("who invited hears %v", err)
		}
		if _, refusal := p.answer(p.write(p.agent, p.token)); !IsNotPending(refusal) {
			t.Errorf("the token works again: %v", refusal)
		}
	})
}

// A name that is taken by another key is refused, and the token stays good for the right machine.
func TestALetterOfATakenName(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	befriend(t, p.display, open(t, Agent, "web1"))
	answer, refusal := p.answer(p.write(p.agent, p.token))
	if refusal == nil || !strings.Contains(refusal.Error(), "run sudo pialert-display unpair web1 there") {
		t.Fatalf("refused with %v", refusal)
	}
	if _, err := p.agent.FinishJoin(p.token, answer, told); !errors.Is(err, ErrJoinRefused) {
		t.Errorf("it is told %v", err)
	}
	if _, err := p.display.Remove("web1"); err != nil {
		t.Fatal(err)
	}
	if _, refusal := p.answer(p.write(p.agent, p.token)); refusal != nil {
		t.Errorf("after the name was freed: %v", refusal)
	}
}
