package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/pkg/cli"
)

func configCommand(s *settings) *cobra.Command {
	check := &cobra.Command{
		Use:   "check",
		Short: "Say whether the configuration and the rules can be used",
		Long: `check reads the configuration and the rules as run does, and says every mistake with file,
line and column. The exit code is 0 if all is well, 1 if not.`,
		Example: "  pialert-agent config check --config /etc/pialert/agent.yaml",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			cfg, err := s.load()
			if err != nil {
				return err
			}
			rules, err := loadRules(cfg, "")
			if err != nil {
				return err
			}
			if _, err := logsOf(cfg, time.Now()); err != nil {
				return err
			}
			fmt.Fprintf(command.OutOrStdout(), "%s is good: %d logs, %d rules\n", s.path, len(cfg.Logs), len(rules.List()))
			return nil
		},
	}
	return cli.ConfigCommand(check, s.load)
}
