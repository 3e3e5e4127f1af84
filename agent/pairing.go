package main

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/agent/internal/uplink"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/link"
	"github.com/pialert/pialert/pkg/paircmd"
	"github.com/pialert/pialert/pkg/pairing"
)

// pairingCommands are pair, join, peers, unpair and rotate-key.
func pairingCommands(s *settings) []*cobra.Command {
	return paircmd.Commands(pairing.Agent, func() (paircmd.Settings, error) {
		cfg, err := s.Load()
		return paircmd.Settings{
			Name: cfg.Name, State: cfg.State, Control: cfg.Control, Listen: cfg.Link.sockets(), Address: cfg.Link.Address, Broker: cfg.Link.NATS.For(cfg.Link.Dial), Config: s.Path(),
		}, err
	})
}

// sockets lists what the agent listens on.
func (l Link) sockets() []string {
	switch l.Dial {
	case link.DialDisplay:
		return []string{l.Listen}
	case link.DialSSH:
		return []string{"unix:" + l.Relay}
	}
	return nil
}

// states returns how the links stand.
func (d *daemon) states() []link.State {
	states := append(d.listener.States(), d.dialer.States()...)
	if d.broker != nil {
		states = append(states, d.broker.States()...)
	}
	return states
}

// watched says whether a display is connected.
func (d *daemon) watched() bool {
	return slices.ContainsFunc(d.states(), func(s link.State) bool { return s.Up })
}

// logs says of every followed log whether it can be read, and when it said something last.
func (d *daemon) logs() (all []uplink.Log) {
	for _, stats := range d.current().stats() {
		all = append(all, uplink.Log{Name: stats.Source, LastLine: stats.LastLine, Error: stats.Error})
	}
	return all
}

// peerAddresses are where displays are connected from, or to, and where they were last.
func (d *daemon) peerAddresses() []netip.Addr {
	all := d.displays.Addresses(func(name string) bool {
		_, err := d.keyring.Peer(name)
		return err == nil
	})
	for _, state := range d.states() {
		if at, err := netip.ParseAddrPort(state.Address); err == nil {
			all = append(all, at.Addr())
		}
	}
	return all
}

// deliver serves one open connection to a display.
func (d *daemon) deliver(ctx context.Context, conn *link.Conn) error {
	d.displays.Note(conn.Peer.Name, conn.Address)
	client, err := link.ClientConn(conn)
	if err != nil {
		return err
	}
	up := uplink.New(uplink.Options{Display: conn.Peer.Name, Version: cli.Release(), Spool: d.spool, Logs: d.logs, Logger: d.logger})
	err = up.Run(ctx, client)
	return errors.Join(err, client.Close())
}
