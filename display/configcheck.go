package main

import (
	"errors"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/display/internal/geo"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/config"
	"github.com/pialert/pialert/pkg/plural"
)

func configCommand(s *settings) *cobra.Command {
	return cli.ConfigCommand(s, cli.CheckCommand(s, "Say whether the configuration can be used",
		`check reads the configuration as run does, and says every mistake with file, line and column.
The exit code is 0 if all is well, 1 if not.`,
		"  pialert-display config check --config /etc/pialert/display.yaml",
		func(cfg Config) (cli.Good, error) {
			if err := cli.Become(cfg.State); err != nil { // what root may read says nothing
				return cli.Good{}, err
			}
			err := cfg.guarded()
			if errors.Is(err, fs.ErrPermission) { // the service may read its folder
				err = nil
			}
			good := cli.Good{What: plural.Count(len(cfg.Lamps), "lamp") + ", driver " + cfg.Driver}
			places, unknown := geo.Open(cfg.Geo.Database, cfg.Geo.Networks)
			for problem := range config.Each(unknown) {
				good.Warnings = append(good.Warnings, problem.Error())
			}
			return good, errors.Join(err, places.Close())
		}), nil)
}
