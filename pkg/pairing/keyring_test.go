package pairing

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestStateIsPrivate(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	k := reopen(t, dir, Agent, "web1")
	befriend(t, k, open(t, Display, "desk"))
	befriend(t, k, open(t, Display, "hall"))
	if _, err := k.Rotate(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, info.Name())
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", info.Name(), info.Mode())
		}
	}
	if got, want := strings.Join(names, " "), "identity.key identity.next.key pairing.lock peers.json"; got != want {
		t.Errorf("the directory holds %s, want %s", got, want)
	}
}

func TestFilesBelongToTheDirectorysOwner(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	owner := os.Geteuid()
	if owner == 0 { // nobody else can give files away
		owner = 12345
		if err := os.Chown(dir, owner, owner); err != nil {
			t.Fatal(err)
		}
	}
	befriend(t, reopen(t, dir, Agent, "web1"), open(t, Display, "desk"))
	for _, name := range []string{keyFile, peersFile, "pairing.lock"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%+v", info.Sys()); !strings.Contains(got, fmt.Sprintf("Uid:%d ", owner)) {
			t.Errorf("%s belongs to somebody else than %d: %s", name, owner, got)
		}
	}
}

func TestKeyIsMadeOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keys := make([]Fingerprint, 8)
	var all sync.WaitGroup
	for i := range keys {
		all.Go(func() {
			k, err := Open(dir, Agent, "web1")
			if err != nil {
				t.Error(err)
				return
			}
			keys[i] = k.Key()
		})
	}
	all.Wait()
	for _, key := range keys {
		if key != keys[0] {
			t.Errorf("processes that started together have the keys %v", keys)
		}
	}
}

func TestProcessesDoNotOverwriteEachOther(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	daemon, command := reopen(t, dir, Display, "desk"), reopen(t, dir, Display, "desk")
	changed := daemon.Changed()
	befriend(t, command, open(t, Agent, "web1"))
	befriend(t, daemon, open(t, Agent, "web2"))
	<-changed
	if got := names(daemon.Peers()); got != "web1 web2" {
		t.Errorf("the daemon sees %s", got)
	}
	if _, err := command.Remove("web2"); err != nil {
		t.Fatal(err)
	}
	changed = daemon.Changed()
	if err := daemon.Reload(); err != nil {
		t.Fatal(err)
	}
	<-changed
	if got := names(daemon.Peers()); got != "web1" {
		t.Errorf("the daemon sees %s", got)
	}
	changed = daemon.Changed()
	if err := daemon.Reload(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-changed:
		t.Error("a reload that finds nothing new wakes everybody")
	default:
	}
}

func names(peers []Peer) string {
	var all []string
	for _, peer := range peers {
		all = append(all, peer.Name)
	}
	return strings.Join(all, " ")
}

func TestAddRefuses(t *testing.T) {
	t.Parallel()
	desk, web1 := open(t, Display, "desk"), open(t, Agent, "web1")
	befriend(t, desk, web1)
	for _, test := range []struct {
		name string
		peer Peer
		want string
	}{
		{"another key under the name", Peer{Name: "web1", Role: Agent, Key: Fingerprint{1}}, ErrNameTaken.Error()},
		{"the key under another name", Peer{Name: "web2", Role: Agent, Key: web1.Key()}, ErrKeyTaken.Error()},
		{"itself", Peer{Name: "web2", Role: Agent, Key: desk.Key()}, "itself"},
		{"its own kind", Peer{Name: "hall", Role: Display, Key: Fingerprint{1}}, "pairs only with agents"},
		{"no key", Peer{Name: "web2", Role: Agent}, "no key"},
		{"upper case", Peer{Name: "Web2", Role: Agent, Key: Fingerprint{1}}, "'W'"},
		{"a path", Peer{Name: "../web2", Role: Agent, Key: Fingerprint{1}}, "begins or ends"},
		{"a long name", Peer{Name: strings.Repeat("a", 64), Role: Agent, Key: Fingerprint{1}}, "at most 63"},
		{"nine addresses", Peer{Name: "web2", Role: Agent, Key: Fingerprint{1}, Addresses: strings.Split("abcdefghi", "")}, "at most 8"},
		{"an empty address", Peer{Name: "web2", Role: Agent, Key: Fingerprint{1}, Addresses: []string{""}}, "use 1 to 300"},
		{"a long address", Peer{Name: "web2", Role: Agent, Key: Fingerprint{1}, Addresses: []string{strings.Repeat("a", 301)}}, "use 1 to 300"},
		{"an address with a blank", Peer{Name: "web2", Role: Agent, Key: Fingerprint{1}, Addresses: []string{"a b"}}, "no address has"},
		{"an address with a delete", Peer{Name: "web2", Role: Agent, Key: Fingerprint{1}, Addresses: []string{"a\x7f"}}, "no address has"},
		{"an address with an escape", Peer{Name: "web2", Role: Agent, Key: Fingerprint{1}, Addresses: []string{"a\x1b[0m"}}, "no address has"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := desk.Add(test.peer); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
		})
	}
	if got := names(desk.Peers()); got != "web1" {
		t.Errorf("afterwards there are %s", got)
	}
}

// What is just within the bounds is kept, also in the file.
func TestAddTakes(t *testing.T) {
	t.Parallel()
	desk := open(t, Display, "desk")
	want := Peer{
		Name: strings.Repeat("a", 59) + "09.z", Role: Agent, Key: Fingerprint{1}, Paired: time.Unix(1e9, 0).UTC(),
		Addresses: []string{strings.Repeat("a", 298) + "!~"},
	}
	again := want
	again.Addresses = nil // as of who came the other way: it is dialled where it was
	if err := errors.Join(desk.Add(want), desk.Add(again)); err != nil {
		t.Fatal(err)
	}
	if got := reopen(t, desk.Dir(), Display, "desk").Peers(); len(got) != 1 || !samePeer(got[0], want) {
		t.Errorf("it has %+v, want %+v", got, want)
	}
}

// Whatever differs between two states of a peer wakes those who wait for a change, and is on disk.
func TestEveryChangeOfAPeerCounts(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Peer){
		"its name":       func(p *Peer) { p.Name = "web2" },
		"its key":        func(p *Peer) { p.Key[0]++ },
		"its next key":   func(p *Peer) { p.NextKey[0]++ },
		"what it knows":  func(p *Peer) { p.Knows[0]++ },
		"its addresses":  func(p *Peer) { p.Addresses = []string{"192.0.2.2:7483"} },
		"when it paired": func(p *Peer) { p.Paired = p.Paired.Add(time.Second) },
	} {
		desk := open(t, Display, "desk")
		befriend(t, desk, open(t, Agent, "web1"))
		changed := desk.Changed()
		err := desk.update(func(state *keys) error { change(&state.peers[0]); return nil })
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-changed:
		default:
			t.Errorf("%s changes, and nobody wakes", name)
		}
		if got := reopen(t, desk.Dir(), Display, "desk").Peers()[0]; !samePeer(got, desk.Peers()[0]) {
			t.Errorf("%s changes, and the disk has %+v", name, got)
		}
	}
}

func TestPeersAreBounded(t *testing.T) {
	t.Parallel()
	peers := make([]Peer, MaxPeers)
	for i := range peers {
		peers[i] = Peer{Name: fmt.Sprintf("web%d", i), Role: Agent, Key: Fingerprint{1, byte(i >> 8), byte(i)}}
		for range MaxAddresses {
			peers[i].Addresses = append(peers[i].Addresses, strings.Repeat("a", MaxAddress))
		}
	}
	data, err := encodePeers(peers)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > maxPeersFile {
		t.Errorf("a full file has %d bytes, but only %d are read", len(data), maxPeersFile)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, peersFile), data, 0o600); err != nil {
		t.Fatal(err)
	}
	desk := reopen(t, dir, Display, "desk")
	if err := desk.Add(Peer{Name: "more", Role: Agent, Key: Fingerprint{2}}); !errors.Is(err, ErrTooMany) {
		t.Errorf("one more: %v", err)
	}
	peers[0].Addresses = []string{"192.0.2.1:7483"}
	if err := desk.Add(peers[0]); err != nil || desk.Peers()[0].Addresses[0] != "192.0.2.1:7483" {
		t.Errorf("one of them pairs again: %v", err)
	}
}

func TestBadFilesAreRefused(t *testing.T) {
	t.Parallel()
	key := Fingerprint{1}.String()
	peer := `{"name":"web1","role":"agent","key":"` + key + `","paired":"2026-01-01T00:00:00Z"}`
	for _, test := range []struct {
		name, file, content string
		mode                fs.FileMode
		want                string
	}{
		{"empty peers", peersFile, "", 0o600, "EOF"},
		{"cut", peersFile, `{"version":1,"peers":[` + peer, 0o600, "unexpected EOF"},
		{"unknown key", peersFile, "{\"version\":1,\n\n\"pears\":[]}", 0o600, `line 3: json: unknown field "pears"`},
		{"wrong type", peersFile, "{\"version\":1,\n\"peers\":7}", 0o600, "line 2"},
		{"other version", peersFile, `{"version":2}`, 0o600, "version is 2"},
		{"twice", peersFile, `{"version":1,"peers":[` + peer + "," + peer + `]}`, 0o600, "web1 twice"},
		{"same key", peersFile, `{"version":1,"peers":[` + peer + "," + strings.Replace(peer, "web1", "web2", 1) + `]}`, 0o600, "same key"},
		{"short key", peersFile, `{"version":1,"peers":[` + strings.Replace(peer, key, "SHA256:AAAA", 1) + `]}`, 0o600, "no key fingerprint"},
		{"own kind", peersFile, `{"version":1,"peers":[` + strings.Replace(peer, "agent", "display", 1) + `]}`, 0o600, "pairs only with"},
		{"trailing text", peersFile, `{"version":1,"peers":[]} x`, 0o600, "something follows"},
		{"readable by others", peersFile, `{"version":1,"peers":[]}`, 0o644, "chmod 600"},
		{"huge", peersFile, strings.Repeat(" ", maxPeersFile+1), 0o600, "more than"},
		{"no PEM", keyFile, "hello", 0o600, "no PEM block"},
		{"another PEM", keyFile, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", 0o600, "CERTIFICATE"},
		{"a broken key", keyFile, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", 0o600, "restore it"},
		{"a byte behind the key", keyFile, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\nx", 0o600, "something follows the key"},
		{"a broken next key", nextKeyFile, "hello", 0o600, nextKeyFile},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, test.file)
			if err := os.WriteFile(path, []byte(test.content), test.mode); err != nil {
				t.Fatal(err)
			}
			_, err := Open(dir, Display, "desk")
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v, want %q and %q in it", err, path, test.want)
			}
			if got, _ := os.ReadFile(path); string(got) != test.content {
				t.Error("the file was changed")
			}
		})
	}
}

func TestNameFor(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ host, want string }{
		{"raspberrypi", "raspberrypi"},
		{"Web1.Example.ORG", "web1.example.org"},
		{"my_server", "my-server"},
		{"bücher", "b-cher"},
		{"-.-", "pialert"},
		{"", "pialert"},
		{strings.Repeat("a", 62) + "--b", strings.Repeat("a", 62)},
	} {
		got := NameFor(test.host)
		if got != test.want {
			t.Errorf("NameFor(%q) = %q, want %q", test.host, got, test.want)
		}
		if err := CheckName(got); err != nil {
			t.Errorf("NameFor(%q): %v", test.host, err)
		}
	}
}

// FuzzDecodePeers holds that what is taken from a file is what would be written.
func FuzzDecodePeers(f *testing.F) {
	f.Add([]byte(`{"version":1,"peers":[{"name":"web1","role":"agent","key":"` + Fingerprint{1}.String() + `","paired":"2026-01-01T00:00:00Z"}]}`))
	f.Add([]byte(`{"version":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		peers, err := decodePeers(data, Display)
		if err != nil {
			return
		}
		again, err := encodePeers(peers)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodePeers(again, Display); err != nil {
			t.Errorf("cannot read back what was taken: %v", err)
		}
	})
}

// Begin makes an empty file of peers for the service to start, and leaves one that is there alone.
func TestBegin(t *testing.T) {
	t.Parallel()
	k, agent := open(t, Display, "desk"), open(t, Agent, "web1")
	if err := k.Begin(); err != nil {
		t.Fatal(err)
	}
	if peers := reopen(t, k.Dir(), Display, "desk").Peers(); len(peers) != 0 {
		t.Errorf("it begins with %v", peers)
	}
	befriend(t, k, agent)
	if err := k.Begin(); err != nil {
		t.Fatal(err)
	}
	if peers := reopen(t, k.Dir(), Display, "desk").Peers(); len(peers) != 1 {
		t.Errorf("beginning again leaves %v", peers)
	}
}
