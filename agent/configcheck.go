package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/pkg/cli"
)

func configCommand(s *settings) *cobra.Command {
	return cli.ConfigCommand(s, cli.CheckCommand(s, "Say whether the configuration and the rules can be used",
		`check reads the configuration and the rules as run does, and says every mistake with file,
line and column. The exit code is 0 if all is well, 1 if not.`,
		"  pialert-agent config check --config /etc/pialert/agent.yaml",
		func(cfg Config) (string, error) {
			rules, err := loadRules(cfg, "")
			if err != nil {
				return "", err
			}
			if _, err := logsOf(cfg, time.Now()); err != nil {
				return "", err
			}
			return fmt.Sprintf("%d logs, %d rules", len(cfg.Logs), len(rules.List())), nil
		}))
}
