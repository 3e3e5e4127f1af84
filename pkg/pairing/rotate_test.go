package pairing

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

func TestRotateAlone(t *testing.T) {
	t.Parallel()
	k := open(t, Agent, "web1")
	before := k.Key()
	next, err := k.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	if k.Key() != next || next == before {
		t.Errorf("the key is %s, was %s, next was %s", k.Key(), before, next)
	}
	if reopen(t, k.Dir(), Agent, "web1").Key() != next {
		t.Error("the change is not on disk")
	}
}

// TestRotation changes an agent's key while one of its displays is away.
func TestRotation(t *testing.T) {
	t.Parallel()
	agent, desk, hall := open(t, Agent, "web1"), open(t, Display, "desk"), open(t, Display, "hall")
	befriend(t, agent, desk)
	befriend(t, agent, hall)
	former := agent.Key()
	atDesk, atAgent := mustMeet(t, desk, agent)

	next, err := agent.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := agent.Rotate(); again != next {
		t.Error("a second call began another change")
	}
	if agent.Check(atAgent) == nil {
		t.Error("the open session may stay, so the desk would not hear of the change")
	}
	if desk.Check(atDesk) != nil {
		t.Error("the desk ends the session though nothing changed there")
	}
	wantWaiting(t, agent, "desk", "hall")

	mustMeet(t, desk, agent)
	wantWaiting(t, agent, "hall")
	if agent.Key() != former {
		t.Fatal("the key changed before the hall knows")
	}
	// A restart in between forgets nothing.
	agent = reopen(t, agent.Dir(), Agent, "web1")
	wantWaiting(t, agent, "hall")

	_, atAgent = mustMeet(t, hall, agent)
	if agent.Key() != next {
		t.Fatal("the key did not change though every peer knows")
	}
	if agent.Check(atAgent) == nil {
		t.Error("the session with the former key may stay")
	}
	for _, display := range []*Keyring{desk, hall} {
		_, atAgent = mustMeet(t, display, agent)
		if agent.Check(atAgent) != nil {
			t.Error("the session with the new key may not stay")
		}
		if peer, _ := display.Peer("web1"); peer.Key != next || !peer.NextKey.IsZero() {
			t.Errorf("%s still takes the former key: %+v", display.Name(), peer)
		}
	}
	if _, err := os.Stat(agent.dir.Path(nextKeyFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the next key's file: %v", err)
	}
}

func wantWaiting(t *testing.T, k *Keyring, names ...string) {
	t.Helper()
	next, waiting := k.Rotation()
	if next.IsZero() || !slices.Equal(waiting, names) {
		t.Errorf("the change to %s waits for %v, want %v", next, waiting, names)
	}
}

func TestRotationOfTheDiallingEnd(t *testing.T) {
	t.Parallel()
	agent, desk := open(t, Agent, "web1"), open(t, Display, "desk")
	befriend(t, agent, desk)
	next, err := desk.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	mustMeet(t, desk, agent)
	if desk.Key() != next {
		t.Fatal("the key did not change")
	}
	mustMeet(t, desk, agent)
	if peer, _ := agent.Peer("desk"); peer.Key != next {
		t.Errorf("the agent has %+v", peer)
	}
}

func TestBothRotateAtOnce(t *testing.T) {
	t.Parallel()
	agent, desk := open(t, Agent, "web1"), open(t, Display, "desk")
	befriend(t, agent, desk)
	nextOfAgent, errA := agent.Rotate()
	nextOfDesk, errB := desk.Rotate()
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	mustMeet(t, desk, agent)
	mustMeet(t, agent, desk)
	if agent.Key() != nextOfAgent || desk.Key() != nextOfDesk {
		t.Error("a key did not change")
	}
}

func TestUnpairingEndsTheWait(t *testing.T) {
	t.Parallel()
	agent, desk, lost := open(t, Agent, "web1"), open(t, Display, "desk"), open(t, Display, "lost")
	befriend(t, agent, desk)
	befriend(t, agent, lost)
	next, err := agent.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	mustMeet(t, desk, agent)
	if _, err := agent.Remove("lost"); err != nil {
		t.Fatal(err)
	}
	if agent.Key() != next {
		t.Error("the change still waits for a peer that is unpaired")
	}
}

// TestChangeDuringHandshake promotes the next key between handshake and greeting: the peer must
// hear of the key that counts now.
func TestChangeDuringHandshake(t *testing.T) {
	t.Parallel()
	agent := open(t, Agent, "web1")
	befriend(t, agent, open(t, Display, "desk"))
	s := &Session{own: agent.Key()}
	if !agent.announced(s).key.IsZero() {
		t.Error("a key is announced though no change is under way")
	}
	next, err := agent.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	if agent.announced(s).key != next {
		t.Error("the next key is not announced")
	}
	if _, err := agent.Remove("desk"); err != nil { // ends the wait
		t.Fatal(err)
	}
	if agent.Key() != next || agent.announced(s).key != next {
		t.Error("the key that has replaced the session's is not announced")
	}
}

// TestLateGreeting has a greeting arrive that was said before the change began.
func TestLateGreeting(t *testing.T) {
	t.Parallel()
	agent, desk := open(t, Agent, "web1"), open(t, Display, "desk")
	befriend(t, agent, desk)
	former, next := agent.Key(), Fingerprint{7}
	if err := desk.learn(former, next[:], nil); err != nil {
		t.Fatal(err)
	}
	if err := desk.learn(former, nil, nil); err != nil {
		t.Fatal(err)
	}
	if peer, _ := desk.Peer("web1"); peer.NextKey != next {
		t.Error("the desk has forgotten the next key")
	}
	if err := desk.learn(next, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := desk.learn(former, nil, nil); !errors.Is(err, ErrNotPaired) {
		t.Errorf("the former key after it was retired: %v", err)
	}
}

func TestNobodyAnnouncesAnothersKey(t *testing.T) {
	t.Parallel()
	desk, web1, web2 := open(t, Display, "desk"), open(t, Agent, "web1"), open(t, Agent, "web2")
	befriend(t, desk, web1)
	befriend(t, desk, web2)
	for _, test := range []struct {
		by  *Keyring
		key Fingerprint
	}{{web1, web2.Key()}, {web2, web1.Key()}, {web1, desk.Key()}} {
		if err := desk.learn(test.by.Key(), test.key[:], nil); err == nil || !strings.Contains(err.Error(), test.by.Name()+" announces a key that is not its own") {
			t.Errorf("%s announces %s: %v", test.by.Name(), test.key, err)
		}
	}
}

// A peer that announces the next key of another one, which it may have from a third machine, keeps that one from
// nothing: whoever holds a key proves it, and nobody can prove it for somebody else.
func TestAnAnnouncedKeyStallsNoChange(t *testing.T) {
	t.Parallel()
	desk, victim, liar := open(t, Display, "desk"), open(t, Agent, "victim"), open(t, Agent, "liar")
	befriend(t, desk, victim)
	befriend(t, desk, liar)
	next, err := victim.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	proof := announce(victim.state.next, victim.Key()).proof
	if err := desk.learn(liar.Key(), next[:], proof); err != nil { // before the victim comes
		t.Fatal(err)
	}
	mustMeet(t, desk, victim)
	if victim.Key() != next {
		t.Fatal("the victim's change of keys does not end")
	}
	mustMeet(t, desk, victim)
	for name, stolen := range map[string][]byte{"another's proof": proof, "none": nil, "half a proof": proof[:50]} {
		if err := desk.learn(liar.Key(), next[:], stolen); err == nil {
			t.Errorf("with %s the liar announces the victim's key", name)
		}
	}
	// What is proven is not taken away, neither before nor after.
	if next, err = victim.Rotate(); err != nil {
		t.Fatal(err)
	}
	if err := desk.learn(victim.Key(), next[:], announce(victim.state.next, victim.Key()).proof); err != nil {
		t.Fatal(err)
	}
	if err := desk.learn(liar.Key(), next[:], proof); err == nil {
		t.Error("the liar announces what the victim has proven to hold")
	}
	mustMeet(t, desk, victim)
	for name, want := range map[string]Fingerprint{"victim": victim.Key(), "liar": liar.Key()} {
		if peer, err := desk.Peer(name); err != nil || peer.Key != want && peer.NextKey != want {
			t.Errorf("%s is kept as %+v, %v", name, peer, err)
		}
	}
	mustMeet(t, desk, liar)
}

// A proof is of one key, by who showed another one.
func TestProofs(t *testing.T) {
	t.Parallel()
	k := open(t, Agent, "web1")
	befriend(t, k, open(t, Display, "desk"))
	next, err := k.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	proof, other := announce(k.state.next, k.Key()).proof, Fingerprint{7}
	for name, test := range map[string]struct {
		proof       []byte
		shown, next Fingerprint
		want        bool
	}{
		"right":               {proof, k.Key(), next, true},
		"by somebody else":    {proof, other, next, false},
		"of another key":      {proof, k.Key(), other, false},
		"by the key of now":   {announce(k.state.own, k.Key()).proof, k.Key(), next, false},
		"with more behind it": {append(slices.Clone(proof), 0), k.Key(), next, false},
		"none":                {nil, k.Key(), next, false},
	} {
		if got := proves(test.proof, test.shown, test.next); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
	for i := range proof {
		damaged := slices.Clone(proof)
		damaged[i] ^= 1
		if proves(damaged, k.Key(), next) {
			t.Fatalf("byte %d does not matter", i)
		}
	}
}

// A change of keys goes on only with who has stored the very key that is announced.
func TestStoringAnotherKeyIsNoAnswer(t *testing.T) {
	t.Parallel()
	agent, desk := open(t, Agent, "web1"), open(t, Display, "desk")
	befriend(t, agent, desk)
	_, atAgent := mustMeet(t, desk, agent)
	next, err := agent.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	for name, stored := range map[string][]byte{"nothing": nil, "the key of now": atAgent.own[:], "half a key": next[:16]} {
		answer := func(_ *Session, announced announcement, _ func(*pialertv1.Greeting) error) ([]byte, error) {
			if announced.key != next {
				t.Errorf("%s is announced, not %s", announced.key, next)
			}
			return stored, nil
		}
		if err := agent.greet(atAgent, answer); err != nil {
			t.Fatal(err)
		}
		if _, waiting := agent.Rotation(); len(waiting) != 1 {
			t.Errorf("the desk stored %s, and the agent waits for %v", name, waiting)
		}
	}
}

// Machines that have met before meet again without a write: also where the disk is full or gone.
func TestAnOldFriendNeedsNoDisk(t *testing.T) {
	t.Parallel()
	desk, web1 := open(t, Display, "desk"), open(t, Agent, "web1")
	befriend(t, desk, web1)
	next := Fingerprint{7}
	if err := desk.learn(web1.Key(), next[:], nil); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(desk.Dir()); err != nil {
		t.Fatal(err)
	}
	for name, announced := range map[string][]byte{"no next key": nil, "the next key once more": next[:]} {
		if err := desk.learn(web1.Key(), announced, nil); err != nil {
			t.Errorf("with %s: %v", name, err)
		}
	}
	if _, err := os.Stat(desk.Dir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something was written: %v", err)
	}
}

func TestNextKeysInGreetings(t *testing.T) {
	t.Parallel()
	whole := Fingerprint{1, 31: 2}
	for name, test := range map[string]struct {
		raw  []byte
		want Fingerprint
		ok   bool
	}{
		"none": {nil, Fingerprint{}, true}, "one": {whole[:], whole, true},
		"cut": {whole[:31], Fingerprint{}, false}, "too long": {append(whole[:], 3), Fingerprint{}, false},
	} {
		if got, err := parseNext(test.raw); (err == nil) != test.ok || got != test.want {
			t.Errorf("%s: %s, error %v", name, got, err)
		}
	}
}

// TestChangeEndsAfterACrash has the power fail when every peer is stored as knowing the next key,
// but before that has become the key.
func TestChangeEndsAfterACrash(t *testing.T) {
	t.Parallel()
	agent, desk := open(t, Agent, "web1"), open(t, Display, "desk")
	befriend(t, agent, desk)
	next, err := agent.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	before := map[string][]byte{}
	for _, name := range []string{keyFile, nextKeyFile} {
		if before[name], err = os.ReadFile(agent.dir.Path(name)); err != nil {
			t.Fatal(err)
		}
	}
	mustMeet(t, desk, agent)
	for name, content := range before {
		if err := os.WriteFile(agent.dir.Path(name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	agent = reopen(t, agent.Dir(), Agent, "web1")
	if agent.Key() != next {
		t.Error("the key did not change after the crash")
	}
	mustMeet(t, desk, agent)
}
