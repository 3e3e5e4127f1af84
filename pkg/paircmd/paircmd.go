// Package paircmd holds the commands by which people pair machines: pair, join, peers, unpair
// and rotate-key. Both programs have the same ones and differ in their role only.
//
// The commands work on the state directory, whether or not the program runs. A running program
// is told over its control socket, so that what they change takes effect at once; pair lets it
// do the listening, since it has the port already. [Handle] is the program's end of that.
//
// What a person pastes or a script reads goes to standard output, everything else to standard
// error.
package paircmd

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/pkg/broker"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/link"
	"github.com/pialert/pialert/pkg/pairing"
)

// Settings is what the commands need of the program's configuration.
type Settings struct {
	Name    string         // that this machine goes by
	State   string         // directory of keys and peers
	Control string         // socket of the running program
	Listen  []string       // where the program listens, as [link.Listen] takes it; none if it dials
	Address string         // where others reach this machine; empty to look at the interfaces
	SSH     link.SSH       // how the program logs in where only sshd listens
	Broker  *broker.Config // what both programs dial; nil if they dial each other
	Config  string         // the configuration's file, which joining a fleet adds to
	// Welcome says what else a person wants to know of a peer that was paired just now; it may be nil.
	Welcome func(peers []pairing.Peer, name string) string
}

// Commands returns the commands of a program of the given role. They call load when they run.
func Commands(role pairing.Role, load func() (Settings, error)) []*cobra.Command {
	p := &program{role: role, load: load}
	return []*cobra.Command{p.pairCommand(), p.joinCommand(), p.peersCommand(), p.unpairCommand(), p.rotateCommand()}
}

type program struct {
	role pairing.Role
	load func() (Settings, error)
}

// name is that of the program that a role runs, as people type it.
func name(role pairing.Role) string { return "pialert-" + role.String() }

// here and there are the two programs' names.
func (p *program) here() string  { return name(p.role) }
func (p *program) there() string { return name(p.role.Other()) }

// open loads the settings and the keyring.
func (p *program) open() (Settings, *pairing.Keyring, error) {
	settings, err := p.load()
	if err != nil {
		return settings, nil, err
	}
	keyring, err := pairing.Open(settings.State, p.role, settings.Name)
	if errors.Is(err, fs.ErrPermission) {
		err = cli.Hint(err, "the state directory belongs to the service: run the command with sudo")
	}
	return settings, keyring, err
}

// unknown adds to the error about a peer that is not paired which ones are.
func unknown(err error, keyring *pairing.Keyring) error {
	if !errors.Is(err, pairing.ErrNotPaired) {
		return err
	}
	peers := keyring.Peers()
	if len(peers) == 0 {
		return cli.Hint(err, "nobody is paired")
	}
	names := ""
	for _, peer := range peers {
		names += " " + peer.Name
	}
	return cli.Hint(err, "these are paired:%s", names)
}

// completePeer offers the names of peers.
func (p *program) completePeer(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	_, keyring, err := p.open()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, peer := range keyring.Peers() {
		names = append(names, peer.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// start says how to start the service.
func (p *program) start() string {
	return fmt.Sprintf("sudo systemctl enable --now %s", p.here())
}

func aRole(r pairing.Role) string {
	if r == pairing.Agent {
		return "an agent"
	}
	return "a display"
}
