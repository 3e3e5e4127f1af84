package cli

import (
	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
)

// ConfigCommand makes the config command, of a check and of a show that prints the configuration
// in force as YAML.
func ConfigCommand[Config any](s *Settings[Config], check *cobra.Command) *cobra.Command {
	group := &cobra.Command{Use: "config", Short: "Look at the configuration"}
	group.AddCommand(check, &cobra.Command{
		Use:   "show",
		Short: "Print the configuration in force, with all defaults",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			cfg, err := s.Load()
			if err != nil {
				return err
			}
			return yaml.NewEncoder(command.OutOrStdout(), yaml.Indent(2)).Encode(cfg)
		},
	})
	return group
}
