package paircmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/pairing"
)

// TestPairAndJoin pairs two machines in both directions, with and without running programs.
func TestPairAndJoin(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name            string
		listens         pairing.Role
		running, joined bool // whether the program at the end that listens, and that dials, runs
	}{
		{"display dials, nothing runs", pairing.Agent, false, false},
		{"display dials, both run", pairing.Agent, true, true},
		{"agent dials, display runs", pairing.Display, true, false},
		{"agent dials, agent runs", pairing.Display, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			listens, dials := newMachine(t, test.listens, "left"), newMachine(t, test.listens.Other(), "right")
			if test.running {
				listens.start(t)
			}
			var atDialler *pairing.Keyring
			if test.joined {
				atDialler = dials.start(t)
			}
			line, _, ended := listens.pair(t)
			_, stderr, err := dials.run(t, joinLine(t, line, name(dials.role))...)
			if err != nil || !strings.Contains(stderr, "the link works") {
				t.Fatalf("join: %v\n%s", err, stderr)
			}
			if err := wait(t, ended); err != nil {
				t.Errorf("pair: %v", err)
			}
			if test.joined {
				if _, err := atDialler.Peer("left"); err != nil {
					t.Errorf("the running program was not told: %v", err)
				}
			}
			if strings.Contains(stderr, "systemctl enable") == test.joined {
				t.Errorf("whether the program runs is told wrongly:\n%s", stderr)
			}
			for m, peer := range map[*machine]string{listens: "right", dials: "left"} {
				r := m.peers(t)
				if len(r.Peers) != 1 || r.Peers[0].Name != peer || r.Peers[0].Role != m.role.Other() {
					t.Errorf("%s lists %+v", m.Name, r.Peers)
				}
			}
			// The same line again.
			third := newMachine(t, dials.role, "thief")
			if _, _, err := third.run(t, joinLine(t, line, name(dials.role))...); err == nil {
				t.Error("the line worked twice")
			}
		})
	}
}

// TestPairAsks has the owner asked who came, whether or not the program runs.
func TestPairAsks(t *testing.T) {
	t.Parallel()
	for _, running := range []bool{true, false} {
		for typed, paired := range map[string]bool{"y\n": true, "Yes\n": true, "n\n": false, "\n": false, "": false} {
			t.Run(fmt.Sprintf("running %v, %q is typed", running, typed), func(t *testing.T) {
				t.Parallel()
				agent, display := newMachine(t, pairing.Agent, "web1"), newMachine(t, pairing.Display, "desk")
				if running {
					agent.start(t)
				}
				agent.types = strings.NewReader(typed)
				var said lockedBuffer
				line, ended := agent.pairOn(t, &said)
				_, stderr, err := display.run(t, joinLine(t, line, "pialert-display")...)
				pairErr := wait(t, ended)
				if (err == nil) != paired || (pairErr == nil) != paired {
					t.Errorf("join: %v\n%s\npair: %v", err, stderr, pairErr)
				}
				if !paired && (!errors.Is(err, pairing.ErrJoinRefused) || !errors.Is(pairErr, pairing.ErrRefusedHere)) {
					t.Errorf("join: %v; pair: %v", err, pairErr)
				}
				keyring, err := pairing.Open(display.State, pairing.Display, "desk")
				if err != nil {
					t.Fatal(err)
				}
				if text := said.String(); !strings.Contains(text, "display desk at 127.") || !strings.Contains(text, keyring.Key().String()) {
					t.Errorf("the owner is not told who came:\n%s", text)
				}
				for _, m := range []*machine{agent, display} {
					if n := len(m.peers(t).Peers); (n == 1) != paired {
						t.Errorf("%s has %d peers", m.Name, n)
					}
				}
			})
		}
	}
}

// TestPairYes asks nobody.
func TestPairYes(t *testing.T) {
	t.Parallel()
	agent, display := newMachine(t, pairing.Agent, "web1"), newMachine(t, pairing.Display, "desk")
	agent.types = strings.NewReader("n\n")
	line, _, ended := agent.pair(t, "--yes")
	if _, stderr, err := display.run(t, joinLine(t, line, "pialert-display")...); err != nil {
		t.Errorf("join: %v\n%s", err, stderr)
	}
	if err := wait(t, ended); err != nil {
		t.Error(err)
	}
}

// TestJoinWithoutAnArgument takes the token where no list of processes shows it.
func TestJoinWithoutAnArgument(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args  []string
		typed func(token string) string
	}{
		"typed at a terminal":                   {nil, func(token string) string { return token + "\n" }},
		"the whole line, pasted at a terminal":  {nil, func(token string) string { return " sudo pialert-display join " + token + "\n" }},
		"from standard input":                   {[]string{"-"}, func(token string) string { return token + "\n" }},
		"from standard input without a newline": {[]string{"-"}, func(token string) string { return token }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			agent, display := newMachine(t, pairing.Agent, "web1"), newMachine(t, pairing.Display, "desk")
			line, _, ended := agent.pair(t)
			display.types = strings.NewReader(test.typed(joinLine(t, line, "pialert-display")[1]))
			if _, stderr, err := display.run(t, append([]string{"join"}, test.args...)...); err != nil {
				t.Errorf("join: %v\n%s", err, stderr)
			}
			if err := wait(t, ended); err != nil {
				t.Error(err)
			}
		})
	}
	display := newMachine(t, pairing.Display, "desk")
	var usage *cli.UsageError
	if _, _, err := display.run(t, "join"); !errors.As(err, &usage) || !strings.Contains(hintOf(t, err), "standard input") {
		t.Errorf("without a token and a terminal: %v", err)
	}
}

func TestCancelWithdraws(t *testing.T) {
	t.Parallel()
	for _, running := range []bool{true, false} {
		t.Run(fmt.Sprintf("running %v", running), func(t *testing.T) {
			t.Parallel()
			agent, display := newMachine(t, pairing.Agent, "web1"), newMachine(t, pairing.Display, "desk")
			if running {
				agent.start(t)
			}
			line, cancel, ended := agent.pair(t)
			token, err := pairing.ParseToken(joinLine(t, line, "pialert-display")[1])
			if err != nil {
				t.Fatal(err)
			}
			invitation, findErr := agent.invitations.Find(token.Secret)
			cancel()
			if err := wait(t, ended); err == nil || !strings.Contains(err.Error(), "withdrawn") {
				t.Errorf("pair: %v", err)
			}
			if running {
				if findErr != nil {
					t.Fatal(findErr)
				}
				if _, err := invitation.Wait(bounded(t)); !errors.Is(err, context.Canceled) {
					t.Errorf("the invitation: %v", err)
				}
			}
			if _, _, err := display.run(t, "join", token.String()); err == nil {
				t.Error("the line still works")
			}
			if n := len(display.peers(t).Peers); n > 0 {
				t.Errorf("the display has %d peers", n)
			}
		})
	}
}

func TestUnpair(t *testing.T) {
	t.Parallel()
	agent, display := newMachine(t, pairing.Agent, "web1"), newMachine(t, pairing.Display, "desk")
	atAgent := agent.start(t)
	display.start(t)
	line, _, ended := agent.pair(t)
	if _, _, err := display.run(t, joinLine(t, line, "pialert-display")...); err != nil {
		t.Fatal(err)
	}
	wait(t, ended)
	if _, _, err := agent.run(t, "unpair", "nobody"); err == nil || !strings.Contains(hintOf(t, err), "desk") {
		t.Errorf("an unknown name: %v", err)
	}
	if _, stderr, err := agent.run(t, "unpair", "desk"); err != nil || !strings.Contains(stderr, "pialert-display unpair web1") {
		t.Errorf("%v\n%s", err, stderr)
	}
	if peers := atAgent.Peers(); len(peers) > 0 {
		t.Errorf("the running program still has %v", peers)
	}
}

func TestRotateKey(t *testing.T) {
	t.Parallel()
	agent, display := newMachine(t, pairing.Agent, "web1"), newMachine(t, pairing.Display, "desk")
	atAgent := agent.start(t)
	line, _, ended := agent.pair(t)
	if _, _, err := display.run(t, joinLine(t, line, "pialert-display")...); err != nil {
		t.Fatal(err)
	}
	wait(t, ended)
	before := atAgent.Key()
	if _, stderr, err := agent.run(t, "rotate-key"); err != nil || !strings.Contains(stderr, "when these have stored it: desk") {
		t.Errorf("%v\n%s", err, stderr)
	}
	stdout, _, err := agent.run(t, "peers")
	if err != nil || !strings.Contains(stdout, "connected once, or are unpaired: desk") {
		t.Errorf("%v\n%s", err, stdout)
	}
	atDisplay := display.start(t) // the display that was away comes back
	deadline := time.After(20 * time.Second)
	for peer, _ := atDisplay.Peer("web1"); peer.Key == before; peer, _ = atDisplay.Peer("web1") {
		select {
		case <-atDisplay.Changed():
		case <-deadline:
			t.Fatal("the key does not change")
		}
	}
	if atAgent.Key() == before {
		t.Error("the agent has its former key")
	}
}

func TestPeersAsText(t *testing.T) {
	t.Parallel()
	agent := newMachine(t, pairing.Agent, "web1")
	stdout, _, err := agent.run(t, "peers")
	if err != nil || !strings.Contains(stdout, "Nobody is paired. To begin: sudo pialert-agent pair") {
		t.Errorf("%v\n%s", err, stdout)
	}
	if stdout, _, err := newMachine(t, pairing.Display, "desk").run(t, "peers"); err != nil || !strings.Contains(stdout, "To begin, on a server: sudo pialert-agent pair") {
		t.Errorf("%v\n%s", err, stdout)
	}
	keyring, err := pairing.Open(agent.State, pairing.Agent, "web1")
	if err != nil {
		t.Fatal(err)
	}
	key := pairing.Fingerprint{1}
	paired := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	if err := keyring.Add(pairing.Peer{Name: "desk", Role: pairing.Display, Key: key, Paired: paired}); err != nil {
		t.Fatal(err)
	}
	stdout, _, err = agent.run(t, "peers")
	want := "desk     program not running  dials us  2026-03-01  " + key.String() + "\n"
	if err != nil || !strings.HasSuffix(stdout, want) {
		t.Errorf("%v\n%s\nwant at the end\n%s", err, stdout, want)
	}
}
