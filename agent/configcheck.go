package main

import (
	"fmt"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
)

func configCommand(s *settings) *cobra.Command {
	group := &cobra.Command{Use: "config", Short: "Look at the configuration"}
	group.AddCommand(
		&cobra.Command{
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
				if _, err := sourcesOf(cfg, time.Now()); err != nil {
					return err
				}
				fmt.Fprintf(command.OutOrStdout(), "%s is good: %d logs, %d rules\n", s.path, len(cfg.Logs), len(rules.List()))
				return nil
			},
		},
		&cobra.Command{
			Use:   "show",
			Short: "Print the configuration in force, with all defaults",
			Args:  cobra.NoArgs,
			RunE: func(command *cobra.Command, _ []string) error {
				cfg, err := s.load()
				if err != nil {
					return err
				}
				return yaml.NewEncoder(command.OutOrStdout(), yaml.Indent(2)).Encode(cfg)
			},
		},
	)
	return group
}
