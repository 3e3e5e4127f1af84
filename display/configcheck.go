package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/pkg/cli"
)

func configCommand(s *settings) *cobra.Command {
	check := &cobra.Command{
		Use:   "check",
		Short: "Say whether the configuration can be used",
		Long: `check reads the configuration as run does, and says every mistake with file, line and column.
The exit code is 0 if all is well, 1 if not.`,
		Example: "  pialert-display config check --config /etc/pialert/display.yaml",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			cfg, err := s.load()
			if err != nil {
				return err
			}
			fmt.Fprintf(command.OutOrStdout(), "%s is good: %d lamps, driver %s\n", s.path, len(cfg.Lamps), cfg.Driver)
			return nil
		},
	}
	return cli.ConfigCommand(check, s.load)
}
