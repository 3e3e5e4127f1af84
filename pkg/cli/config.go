package cli

import (
	"errors"
	"io"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
)

// ConfigCommand makes the config command, of a check and of a show that prints the configuration
// in force: as YAML, which could be the file, or as JSON. found says in lines what the configuration
// finds on this machine; it may be nil.
func ConfigCommand[Config any](s *Settings[Config], check *cobra.Command, found func(Config) ([]string, error)) *cobra.Command {
	var format string
	show := &cobra.Command{
		Use:   "show",
		Short: "Print the configuration in force, with all defaults and what it finds here",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			cfg, err := s.Load()
			if err != nil {
				return err
			}
			if format == "json" {
				return WriteYAMLAsJSON(command.OutOrStdout(), cfg)
			}
			if err := WriteYAML(command.OutOrStdout(), cfg); err != nil || found == nil {
				return err
			}
			lines, err := found(cfg)
			for _, line := range lines {
				err = errors.Join(err, printLine(command.OutOrStdout(), "# %s", line))
			}
			return err
		},
	}
	FormatFlag(show, &format)
	group := &cobra.Command{Use: "config", Short: "Look at the configuration"}
	group.AddCommand(check, show)
	return group
}

// WriteYAML writes a value as people write configurations. The library's own encoder forgets what a full
// disk says.
func WriteYAML(out io.Writer, value any) error {
	text, err := yaml.MarshalWithOptions(value, yaml.Indent(2), yaml.UseLiteralStyleIfMultiline(true))
	if err != nil {
		return err
	}
	_, err = out.Write(text)
	return err
}

// WriteYAMLAsJSON writes as JSON what has a form as YAML, by the names that it has there.
func WriteYAMLAsJSON(out io.Writer, value any) error {
	text, err := yaml.Marshal(value)
	if err != nil {
		return err
	}
	var plain any
	if err := yaml.Unmarshal(text, &plain); err != nil {
		return err
	}
	return WriteJSON(out, plain)
}
