package main

import (
	"github.com/spf13/cobra"
)

func fleetCommand(s *settings) *cobra.Command {
	command := &cobra.Command{
		Use:   "fleet",
		Short: "Prepare a NATS server for many agents, invite them, and see how they are",
		Long: `fleet is for an owner of more servers than one machine can keep a connection to. init writes the
configuration of a NATS server, add prints the line that brings a server in, remove revokes what that
brought, forget clears what waits for a display that is gone, and status says which agents are behind, silent or
old. See docs/fleet.md.`,
		Example: `  sudo pialert-display fleet init --server tls://nats.example.org:4222
  sudo pialert-display fleet add web1
  pialert-display fleet status`,
	}
	command.AddCommand(fleetInitCommand(s), fleetAddCommand(s), fleetRemoveCommand(s), fleetForgetCommand(s), fleetStatusCommand(s))
	return command
}
