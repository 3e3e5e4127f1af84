package paircmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/control"
	"github.com/pialert/pialert/pkg/link"
	"github.com/pialert/pialert/pkg/pairing"
)

// report is what peers prints as JSON.
type report struct {
	Name    string              `json:"name"`
	Role    pairing.Role        `json:"role"`
	Key     pairing.Fingerprint `json:"key"`
	NextKey pairing.Fingerprint `json:"next_key,omitzero"`     // during a change of keys
	Waiting []string            `json:"waiting_for,omitempty"` // peers that hold it up
	Running bool                `json:"running"`
	Peers   []peerReport        `json:"peers"`
}

type peerReport struct {
	pairing.Peer
	Link *link.State `json:"link,omitempty"` // absent if the program does not run
}

func (p *program) peersCommand() *cobra.Command {
	var format string
	command := &cobra.Command{
		Use:   "peers",
		Short: fmt.Sprintf("List the %ss that are paired", p.role.Other()),
		Example: fmt.Sprintf(`  sudo %[1]s peers
  sudo %[1]s peers --format json`, p.here()),
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			found, err := p.report(command.Context())
			if err != nil {
				return err
			}
			if format == "json" {
				return cli.WriteJSON(command.OutOrStdout(), found)
			}
			return found.print(command.OutOrStdout(), p)
		},
	}
	cli.FormatFlag(command, &format)
	return command
}

func (p *program) report(ctx context.Context) (report, error) {
	settings, keyring, err := p.open()
	if err != nil {
		return report{}, err
	}
	r := report{Name: keyring.Name(), Role: keyring.Role(), Key: keyring.Key(), Peers: []peerReport{}}
	r.NextKey, r.Waiting = keyring.Rotation()
	var states []link.State
	err = settings.call(ctx, pathLinks, nil, &states)
	r.Running = err == nil
	if err != nil && !errors.Is(err, control.ErrNotRunning) {
		return r, err
	}
	links := map[string]link.State{}
	for _, state := range states {
		links[state.Peer] = state
	}
	for _, peer := range keyring.Peers() {
		line := peerReport{Peer: peer}
		if state, ok := links[peer.Name]; ok || r.Running {
			line.Link = &state
		}
		r.Peers = append(r.Peers, line)
	}
	return r, nil
}

func (r report) print(w io.Writer, p *program) error {
	fmt.Fprintf(w, "This is %s %s, key %s.\n", r.Role, r.Name, r.Key)
	if len(r.Peers) == 0 {
		where := ""
		if p.role == pairing.Display {
			where = ", on a server"
		}
		fmt.Fprintf(w, "Nobody is paired. To begin%s: sudo %s pair\n", where, name(pairing.Agent))
		return nil
	}
	fmt.Fprintln(w)
	table := cli.NewTable(w)
	fmt.Fprintf(table, "%s\tLINK\tADDRESS\tPAIRED\tKEY\n", strings.ToUpper(p.role.Other().String()))
	for _, peer := range r.Peers {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", peer.Name, peer.linkText(), peer.addressText(), peer.Paired.Format(time.DateOnly), peer.Key)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if !r.NextKey.IsZero() {
		_, err := fmt.Fprintf(w, "\nThe key changes to %s when these have connected once, or are unpaired: %s.\n",
			r.NextKey, strings.Join(r.Waiting, ", "))
		return err
	}
	return nil
}

func (p peerReport) linkText() string {
	switch {
	case p.Link == nil:
		return "program not running"
	case p.Link.Up:
		return "up since " + p.Link.Since.Local().Format(time.DateTime)
	case p.Link.Since.IsZero():
		return "never up"
	}
	return "down since " + p.Link.Since.Local().Format(time.DateTime)
}

func (p peerReport) addressText() string {
	switch {
	case p.Link != nil && p.Link.Address != "":
		return p.Link.Address
	case len(p.Addresses) > 0:
		return p.Addresses[0]
	}
	return "dials us"
}

func (p *program) unpairCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "unpair NAME",
		Short: fmt.Sprintf("Shut %s out at once", aRole(p.role.Other())),
		Long: fmt.Sprintf(`unpair forgets the key of %s: its open connections are closed and new ones
refused. To let it in again, pair anew.`, aRole(p.role.Other())),
		Example:           fmt.Sprintf("  sudo %s unpair %s", p.here(), exampleName(p.role.Other())),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: p.completePeer,
		RunE: func(command *cobra.Command, args []string) error {
			settings, keyring, err := p.open()
			if err != nil {
				return err
			}
			removed, err := keyring.Remove(args[0])
			if err != nil {
				return unknown(fmt.Errorf("cannot unpair: %w", err), keyring)
			}
			if _, err := settings.reload(command.Context()); err != nil {
				return cli.Hint(err, "restart it to close open connections: sudo systemctl restart %s", p.here())
			}
			fmt.Fprintf(command.ErrOrStderr(), "%s is shut out. It still knows this machine: run sudo %s unpair %s there.\n",
				removed.Name, p.there(), keyring.Name())
			return nil
		},
	}
}

func exampleName(r pairing.Role) string {
	if r == pairing.Agent {
		return "web1"
	}
	return "desk"
}

func (p *program) rotateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rotate-key",
		Short: "Change this machine's key without pairing anew",
		Long: `rotate-key makes a new key. Every peer is told of it over the link that the present key
protects; when all have stored it, the new key replaces the present one. A peer that is away
holds that up until it was seen again, or is unpaired: see peers.

If the present key was stolen, do not rotate it: the thief could do the same. Unpair this machine
everywhere and pair it anew.`,
		Example: fmt.Sprintf("  sudo %s rotate-key", p.here()),
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			settings, keyring, err := p.open()
			if err != nil {
				return err
			}
			if settings.Broker != nil && p.role == pairing.Display {
				return cli.Hint(errors.New("by NATS a display's key does not change: what the broker keeps is sealed for it, and every agent's subject names it"),
					"if it was stolen, begin anew: docs/fleet.md says how")
			}
			next, err := keyring.Rotate()
			if err != nil {
				return fmt.Errorf("cannot change the key: %w", err)
			}
			if _, err := settings.reload(command.Context()); err != nil {
				return cli.Hint(err, "restart it: sudo systemctl restart %s", p.here())
			}
			stderr := command.ErrOrStderr()
			if _, waiting := keyring.Rotation(); len(waiting) > 0 {
				fmt.Fprintf(stderr, "The key changes to %s when these have stored it: %s.\n", next, strings.Join(waiting, ", "))
				return nil
			}
			fmt.Fprintf(stderr, "The key is now %s.\n", next)
			return nil
		},
	}
}
