package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/pkg/cli"
)

func configCommand(s *settings) *cobra.Command {
	return cli.ConfigCommand(s, cli.CheckCommand(s, "Say whether the configuration can be used",
		`check reads the configuration as run does, and says every mistake with file, line and column.
The exit code is 0 if all is well, 1 if not.`,
		"  pialert-display config check --config /etc/pialert/display.yaml",
		func(cfg Config) (cli.Good, error) {
			err := cfg.guarded()
			if errors.Is(err, fs.ErrPermission) { // the service may read its folder
				err = nil
			}
			return cli.Good{What: fmt.Sprintf("%d lamps, driver %s", len(cfg.Lamps), cfg.Driver)}, err
		}), nil)
}
