package pairing

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
)

// couple is an agent and a display that change their keys, with what is on the disk of each.
type couple struct {
	t    *testing.T
	dirs [2]string // of the agent and of the desk
}

var coupled = [2]struct {
	role Role
	name string
}{{Agent, "web1"}, {Display, "desk"}}

// ring reads a machine's keys anew, as after a kill.
func (c *couple) ring(i int) *Keyring {
	return reopen(c.t, c.dirs[i], coupled[i].role, coupled[i].name)
}

// failing is a connection that breaks at one of its writes, as if the process had been killed before it.
type failing struct {
	net.Conn
	left int // writes that succeed; below zero all do
}

func (f *failing) Write(p []byte) (int, error) {
	if f.left == 0 {
		f.Close()
		return 0, errors.New("killed")
	}
	f.left--
	return f.Conn.Write(p)
}

// meet has one end dial the other, and one of them killed before its nth write; below zero none is.
func (c *couple) meet(dials, killed, writes int) error {
	rings := [2]*Keyring{c.ring(0), c.ring(1)}
	dialled, listening := wire(c.t)
	defer dialled.Close()
	defer listening.Close()
	conns := [2]net.Conn{&failing{dialled, -1}, &failing{listening, -1}}
	if writes >= 0 {
		end := 0
		if killed != dials {
			end = 1
		}
		conns[end].(*failing).left = writes
	}
	ctx, cancel := context.WithCancel(c.t.Context())
	defer cancel()
	listens := 1 - dials
	result := acceptOn(ctx, rings[listens], conns[1], nil)
	session, err := rings[dials].Connect(ctx, conns[0], rings[listens].Name())
	if err != nil {
		conns[0].Close()
	}
	answer := <-result
	if session != nil && session.Peer.Name != coupled[listens].name ||
		answer.session != nil && answer.session.Peer.Name != coupled[dials].name {
		c.t.Fatal("a peer got another name")
	}
	return errors.Join(err, answer.err)
}

var keyringFiles = []string{keyFile, nextKeyFile, peersFile}

type content [2]map[string]string

func (c *couple) save() (saved content) {
	for i, dir := range c.dirs {
		saved[i] = map[string]string{}
		for _, name := range keyringFiles {
			if data, err := os.ReadFile(dir + "/" + name); err == nil {
				saved[i][name] = string(data)
			}
		}
	}
	return saved
}

func (c *couple) restore(saved content, i int, names ...string) {
	for _, name := range names {
		path := c.dirs[i] + "/" + name
		data, ok := saved[i][name]
		if !ok {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				c.t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
}

// state says what each end knows, in a form that does not depend on the keys themselves.
func (c *couple) state() string {
	var keys [2]keys
	for i := range keys {
		state, err := (&Keyring{dir: c.ring(i).dir, role: coupled[i].role}).load()
		if err != nil {
			c.t.Fatal(err)
		}
		keys[i] = state
	}
	var text strings.Builder
	for i, state := range keys {
		if len(state.peers) != 1 || state.peers[0].Name != coupled[1-i].name {
			c.t.Fatalf("%s has the peers %+v", coupled[i].name, state.peers)
		}
		other, peer := keys[1-i], state.peers[0]
		for _, is := range []bool{
			state.next != nil, peer.Key == other.own.fingerprint, peer.Key == other.nextKey(), peer.NextKey.IsZero(),
			peer.NextKey == other.own.fingerprint, peer.NextKey == other.nextKey(), peer.Knows == state.nextKey(), peer.Knows.IsZero(),
		} {
			fmt.Fprint(&text, is, " ")
		}
	}
	return text.String()
}

// settle wants two machines in any state to find each other, whoever dials, and the change to end. A first
// meeting may end early where one end has a key to tell.
func (c *couple) settle(dials int) error {
	for range 4 {
		if err := c.meet(dials, 0, -1); err != nil {
			return err
		}
	}
	for i := range coupled {
		k := c.ring(i)
		if _, waiting := k.Rotation(); len(waiting) > 0 {
			return fmt.Errorf("%s still waits for %v", coupled[i].name, waiting)
		}
		if peer, _ := k.Peer(coupled[1-i].name); peer.Key != c.ring(1-i).Key() {
			return fmt.Errorf("%s does not have the key of %s", coupled[i].name, coupled[1-i].name)
		}
	}
	return nil
}

// coupleSteps are what can happen: either end begins a change; they meet; one of them is killed at any message, or
// between two of the files that it writes.
func coupleSteps() (names []string, steps []func(c *couple)) {
	add := func(name string, step func(c *couple)) { names, steps = append(names, name), append(steps, step) }
	for i, one := range coupled {
		add("rotate "+one.name, func(c *couple) {
			if _, err := c.ring(i).Rotate(); err != nil {
				c.t.Fatal(err)
			}
		})
	}
	for dials, one := range coupled {
		add(one.name+" dials", func(c *couple) { c.meet(dials, 0, -1) })
		for i, other := range coupled {
			for writes := 1; writes < 5; writes++ {
				add(fmt.Sprintf("%s dials, %s is killed after %d writes", one.name, other.name, writes), func(c *couple) { c.meet(dials, i, writes) })
			}
			add(fmt.Sprintf("%s dials, %s is killed before it changes its key", one.name, other.name), func(c *couple) {
				before := c.save()
				c.meet(dials, 0, -1)
				if before[i][nextKeyFile] != "" {
					c.restore(before, i, keyFile, nextKeyFile)
				}
			})
		}
	}
	return names, steps
}

// TestEveryOrderOfAChange tries every order of what can happen while both ends change their keys: whatever
// comes between, they find each other again under the names that they were paired under, so that an agent's numbers
// stay that agent's.
func TestEveryOrderOfAChange(t *testing.T) {
	t.Parallel()
	c := &couple{t: t, dirs: [2]string{t.TempDir(), t.TempDir()}}
	befriend(t, c.ring(0), c.ring(1))
	names, steps := coupleSteps()
	type visit struct {
		content
		path []string
	}
	states := []visit{{c.save(), nil}}
	seen := map[string]bool{}
	for len(states) > 0 && (!testing.Short() || len(seen) < 6) {
		at := states[0]
		states = states[1:]
		for i, step := range steps {
			for end := range coupled {
				c.restore(at.content, end, keyringFiles...)
			}
			step(c)
			state := c.state()
			if seen[state] {
				continue
			}
			seen[state] = true
			path := append(slices.Clone(at.path), names[i])
			after := c.save()
			states = append(states, visit{after, path})
			for dials := range coupled {
				for end := range coupled {
					c.restore(after, end, keyringFiles...)
				}
				if err := c.settle(dials); err != nil {
					t.Fatalf("when %s dials: %v, after: %s", coupled[dials].name, err, strings.Join(path, ", "))
				}
			}
		}
	}
	t.Logf("%d states", len(seen))
	if len(seen) < 6 {
		t.Errorf("only %d states were met", len(seen))
	}
}
