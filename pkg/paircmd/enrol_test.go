package paircmd

import (
	"encoding/pem"
	"errors"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"

	"github.com/pialert/pialert/pkg/broker"
	"github.com/pialert/pialert/pkg/pairing"
)

// A line of fleet add that cannot be used says so before anything is written or dialled.
func TestLinesThatEnrolNobody(t *testing.T) {
	t.Parallel()
	display, agent := newMachine(t, pairing.Display, "desk"), newMachine(t, pairing.Agent, "web1")
	agent.Config = filepath.Join(t.TempDir(), "agent.yaml")
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	enrolment := broker.Enrolment{
		Servers: []string{"tls://127.0.0.1:1"}, Stream: "pialert", Token: "pialert1-damaged", Credentials: broker.Credentials{Seed: seed},
		CA: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
	}
	word := enrolment.String()
	if _, _, err := display.run(t, "join", word); err == nil || !strings.Contains(err.Error(), "run it there, with sudo pialert-agent join") {
		t.Errorf("on a display: %v", err)
	}
	if _, _, err := agent.run(t, "join", word[:40]); err == nil || !strings.Contains(hintOf(t, err), "fleet add NAME") {
		t.Errorf("cut off: %v", err)
	}
	if _, _, err := agent.run(t, "join", word); err == nil {
		t.Error("with a damaged token it joins")
	}
	if _, err := os.Stat(agent.Config); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something was written: %v", err)
	}
	token := pairing.Token{Role: pairing.Display, Name: "desk", Key: pairing.Fingerprint{1}}
	enrolment.Token = token.String()
	word = enrolment.String()
	if err := os.WriteFile(agent.Config, []byte("link: {dial: display}\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, _, err := agent.run(t, "join", word); err == nil || !strings.Contains(hintOf(t, err), "take link: out of that file") {
		t.Errorf("linked another way: %v", err)
	}
}

// The program may be started from another folder than join was, so the files that it reads are named whole.
func TestWhereJoiningWrites(t *testing.T) {
	state := t.TempDir()
	t.Chdir(t.TempDir())
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	if owner, dir, err := place(Settings{Config: "agent.yaml", State: state}); owner != "agent.yaml" || dir != here || err != nil {
		t.Errorf("beside ./agent.yaml in %s: in %s, for the owner of %s, %v", here, dir, owner, err)
	}
	if owner, dir, err := place(Settings{Config: "none/agent.yaml", State: state}); owner != state || dir != state || err != nil {
		t.Errorf("where that cannot be: in %s, for the owner of %s, %v; want %s", dir, owner, err, state)
	}
	if _, _, err := place(Settings{Config: "none/agent.yaml", State: filepath.Join(state, "none")}); err == nil {
		t.Error("where nothing can be: no error")
	}
}

// What joining adds to a configuration stands behind what is there, once, and is found again.
func TestTheLinkIsAdded(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "agent.yaml")
	c := broker.Config{Servers: []string{"tls://n1:4222", "tls://n2:4222"}, CA: "/etc/pialert/nats-ca.pem", Credentials: "/etc/pialert/nats.creds", Stream: "pialert"}
	for before, want := range map[string]bool{"": false, "# link: none\nname: web1": false, "name: a\nlink:\n  dial: ssh\n": true, "link : {}\n": true, "  link: {}\n": false} {
		if err := os.WriteFile(file, []byte(before), 0o640); err != nil {
			t.Fatal(err)
		}
		if got, err := isLinked(file); err != nil || got != want {
			t.Errorf("%q is linked: %t, %v", before, got, err)
		}
		if want {
			continue
		}
		if err := addLink(file, c); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(text), before) || !strings.Contains(string(text), "\nlink:\n  dial: nats\n  nats:\n    servers: [tls://n1:4222, tls://n2:4222]\n") {
			t.Errorf("it is now\n%s", text)
		}
		if linked, err := isLinked(file); err != nil || !linked {
			t.Errorf("it is not found again: %v", err)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("others may read it: %v, %v", info.Mode(), err)
		}
	}
	if linked, err := isLinked(filepath.Join(t.TempDir(), "none.yaml")); linked || err != nil {
		t.Errorf("a file that is not there is linked: %v", err)
	}
}
