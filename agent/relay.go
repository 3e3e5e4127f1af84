package main

import (
	"github.com/spf13/cobra"

	"github.com/pialert/pialert/pkg/link"
)

func relayCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "relay",
		Short: "Join standard input and output to the running agent, for a display that comes by SSH",
		Long: `relay is what a display with "dial: ssh" runs on this server. It joins its standard input and
output to the agent's relay socket; everything on it is encrypted between agent and display, and
only paired displays are served. No port needs to be open but SSH's own.

In authorized_keys, this line lets the display's key do that and nothing else:`,
		Example: `  restrict,command="pialert-agent relay" ssh-ed25519 AAAA... display`,
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			cfg, err := s.Load()
			if err != nil {
				return err
			}
			return link.Relay(command.Context(), cfg.Link.Relay, command.InOrStdin(), command.OutOrStdout())
		},
	}
}
