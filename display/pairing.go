package main

import (
	"log/slog"
	"time"

	"github.com/spf13/cobra"

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
			SSH: cfg.Link.SSH.login(), Welcome: welcome(cfg),
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
	return append(d.listener.States(), d.dialer.States()...)
}
