package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/agent/internal/detect"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/plural"
)

func configCommand(s *settings) *cobra.Command {
	return cli.ConfigCommand(s, cli.CheckCommand(s, "Say whether the configuration and the rules can be used",
		`check reads the configuration and the rules as run does, and says every mistake with file,
line and column. The exit code is 0 if all is well, 1 if not.`,
		"  pialert-agent config check --config /etc/pialert/agent.yaml",
		func(cfg Config) (good cli.Good, err error) {
			dirs, err := ruleDirs(cfg, "")
			if err != nil {
				return good, err
			}
			rules, err := detect.Load(dirs...)
			if err != nil {
				return good, err
			}
			if err := becomeReader(cfg.State); err != nil {
				return good, err
			}
			logs := logsOf(cfg, time.Now())
			good.What = plural.Count(len(cfg.Logs), "log") + ", " + plural.Count(len(rules.List()), "rule")
			good.Notes, good.Warnings = logs.look()
			ignored, err := cfg.ignored(nil)
			if err != nil {
				return good, err
			}
			allowed, err := cfg.Responses.allowed(nil, nil)
			if err != nil {
				return good, err
			}
			for _, unknown := range slices.Concat(ignored.Unknown(), allowed.Unknown()) {
				good.Warnings = append(good.Warnings, "cannot find out whom to leave alone: "+unknown)
			}
			good.Warnings = append(good.Warnings, cfg.Intake.openSecrets(s.Path())...)
			for _, rule := range rules.User() {
				if warning := rule.Warning(); warning != "" {
					good.Warnings = append(good.Warnings, fmt.Sprintf("rule %s of %s: %s", rule.ID, rule.Origin, warning))
				}
			}
			return good, nil
		}), func(cfg Config) ([]string, error) {
		if err := becomeReader(cfg.State); err != nil {
			return nil, err
		}
		logs := logsOf(cfg, time.Now())
		lines, warnings := logs.look()
		return append(lines, warnings...), nil
	})
}

// becomeReader makes a process of root's one that may read what the service may: everything with the drop-in
// that [remedy] installs, otherwise what its user may.
func becomeReader(state string) error {
	if _, err := os.Stat(filepath.Join(dropInFolder, readAllLogs)); err == nil {
		return nil
	}
	return cli.Become(state)
}
