package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/display/internal/fleet"
	"github.com/pialert/pialert/display/internal/receive/nats"
	"github.com/pialert/pialert/pkg/broker"
	"github.com/pialert/pialert/pkg/config"
	"github.com/pialert/pialert/pkg/link"
	"github.com/pialert/pialert/pkg/link/dyndns"
	"github.com/pialert/pialert/pkg/paircmd"
	"github.com/pialert/pialert/pkg/pairing"
)

// pairingCommands are pair, join, peers, unpair and rotate-key.
func pairingCommands(s *settings) []*cobra.Command {
	return paircmd.Commands(pairing.Display, func() (paircmd.Settings, error) {
		cfg, err := s.Load()
		return paircmd.Settings{
			Name: cfg.Name, State: cfg.State, Control: cfg.Control, Listen: cfg.Link.sockets(), Address: cfg.Link.Address,
			SSH: cfg.Link.SSH.login(), Welcome: welcome(cfg), Broker: cfg.Link.NATS.For(cfg.Link.Dial),
		}, err
	})
}

// sockets lists what the display listens on.
func (l Link) sockets() []string {
	if l.Dial == link.DialAgent {
		return []string{l.Listen}
	}
	return nil
}

// login is how the link logs in.
func (s SSH) login() link.SSH { return link.SSH{Options: s.Options, Command: s.Command} }

// updater keeps the display's dynamic DNS name up to date; nil if there is none to keep.
func (l Link) updater(logger *slog.Logger) (*dyndns.Updater, error) {
	if l.Dial != link.DialAgent || l.DNS.Update == "" && l.DNS.UpdateFile == "" {
		return nil, nil
	}
	update, err := config.SecretFrom(l.DNS.Update, l.DNS.UpdateFile)
	return &dyndns.Updater{UpdateURL: update, AddressURL: l.DNS.Check, Interval: time.Duration(l.DNS.Every), Log: logger}, err
}

// states returns how the links stand.
func (d *daemon) states() []link.State {
	states := append(d.listener.States(), d.dialer.States()...)
	if d.broker == nil {
		return states
	}
	server := d.broker.Status().Server
	for _, stream := range d.receiver.Status() {
		state := link.State{Peer: stream.Agent, Up: stream.Connected, Since: stream.Since, Address: server, Error: stream.LastError}
		states = append(states, state)
	}
	return states
}

// joinByBroker answers an agent that redeems a token by the broker; the error says why it was refused.
func (d *daemon) joinByBroker(ctx context.Context, subject string, request []byte) (answer []byte, err error) {
	agent := broker.Sender(subject)
	letter, err := d.keyring.ReadJoin(subject, request)
	if err != nil {
		return nil, err
	}
	refused := d.acceptByBroker(ctx, &letter, agent)
	if refused == nil {
		d.logger.Info("paired", "peer", letter.Peer.Name, "role", letter.Peer.Role, "key", letter.Peer.Key)
		d.nameFirst()
	}
	answer, err = d.keyring.AnswerJoin(letter, refused, broker.JoinReply(broker.DisplayID(d.keyring.Key()), agent))
	return answer, cmp.Or(refused, err)
}

// acceptByBroker pairs with an agent that holds a token or an invitation to the fleet, unless there is a
// reason not to.
func (d *daemon) acceptByBroker(ctx context.Context, letter *pairing.JoinLetter, agent broker.ID) error {
	var invited error = fleet.ErrUnknown
	if authority, err := fleet.Open(fleetDir(d.cfg)); err == nil {
		var name string
		if name, invited = authority.Redeem(letter.Secret, agent, letter.Peer.Key, time.Now()); invited == nil {
			letter.Peer.Name = name
		}
	}
	if patterns := d.cfg.Link.NATS.Agents; !nats.Takes(patterns, letter.Peer.Name) {
		return fmt.Errorf("display %s takes agents named %s only", d.cfg.Name, strings.Join(patterns, ", "))
	}
	switch {
	case invited == nil:
		if err := d.keyring.Welcomes(letter.Peer); err != nil {
			return err
		}
		return d.keyring.Add(letter.Peer)
	case errors.Is(invited, fleet.ErrUnknown):
		return d.keyring.AcceptJoin(ctx, d.invitations, *letter, "the broker, as "+string(agent))
	}
	return fmt.Errorf("%w: sudo pialert-display fleet add NAME makes another", invited)
}
