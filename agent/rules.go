package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/agent/internal/detect"
	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/plural"
)

func rulesCommand(s *settings) *cobra.Command {
	group := &cobra.Command{
		Use:   "rules",
		Short: "Look at the rules, and try them on their examples",
		Long: `Rules say how attacks look in logs. The built-in ones come with the program; your own are *.yaml in
the configured folder (/etc/pialert/rules.d) and are tried first. Both have the same form.`,
	}
	var extra string
	group.PersistentFlags().StringVar(&extra, "rules", "", "file or folder with more rules, tried before the built-in ones")
	loader := func(load func(...fs.FS) (*rule.Set, error)) func() (*rule.Set, error) {
		return func() (*rule.Set, error) {
			cfg, err := s.Load()
			if err != nil {
				return nil, err
			}
			dirs, err := ruleDirs(cfg, extra)
			if err != nil {
				return nil, err
			}
			return load(dirs...)
		}
	}
	load, withExamples := loader(detect.Load), loader(detect.LoadWithExamples)
	var format string
	list := &cobra.Command{
		Use:   "list",
		Short: "List every rule with its kind and where it comes from",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			rules, err := load()
			if err != nil {
				return err
			}
			if format == "json" {
				return cli.WriteJSON(command.OutOrStdout(), listed(rules.List()))
			}
			table := cli.NewTable(command.OutOrStdout())
			fmt.Fprintln(table, "ID\tKIND\tLOG\tROLE\tFROM")
			for _, r := range rules.List() {
				kind := "-"
				if r.Kind.Valid() {
					kind = r.Kind.String()
				}
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", r.ID, kind, r.Type, r.Role, r.Origin)
			}
			return table.Flush()
		},
	}
	cli.FormatFlag(list, &format)
	ids := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		rules, err := load()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var names []string
		for _, r := range rules.List() {
			names = append(names, r.ID)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	group.AddCommand(coverageCommand(load), list, showRule(withExamples, ids), testRules(withExamples))
	return group
}

func showRule(load func() (*rule.Set, error), ids cobra.CompletionFunc) *cobra.Command {
	var format string
	command := &cobra.Command{
		Use:     "show ID",
		Short:   "Print a rule with its pattern and examples",
		Example: "  pialert-agent rules show sshd-failed-password\n  pialert-agent rules show sshd-failed-password --format json | jq -r .pattern",
		Args:    cobra.ExactArgs(1),

		ValidArgsFunction: ids,
		RunE: func(command *cobra.Command, args []string) error {
			rules, err := load()
			if err != nil {
				return err
			}
			shown, err := rules.Show(args[0])
			if err != nil {
				return err
			}
			if format == "json" {
				return cli.WriteYAMLAsJSON(command.OutOrStdout(), shown)
			}
			return cli.WriteYAML(command.OutOrStdout(), shown)
		},
	}
	cli.FormatFlag(command, &format)
	return command
}

// RulesTested is what rules test prints as JSON.
type RulesTested struct {
	Rules    int      `json:"rules"`
	Examples int      `json:"examples"`
	Failures []string `json:"failures"`
}

func testRules(load func() (*rule.Set, error)) *cobra.Command {
	var format string
	command := &cobra.Command{
		Use:   "test",
		Short: "Run the examples of every rule and print what failed",
		Example: `  pialert-agent rules test
  pialert-agent rules test --rules ./my-rules.yaml`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			rules, err := load()
			if err != nil {
				return err
			}
			tested := RulesTested{Rules: len(rules.List()), Failures: []string{}}
			for _, r := range rules.List() {
				tested.Examples += len(r.Match) + len(r.NoMatch)
			}
			for _, failure := range detect.Test(rules, rules.List()) {
				tested.Failures = append(tested.Failures, failure.Error())
			}
			if err := tested.write(command.OutOrStdout(), format); err != nil {
				return err
			}
			if len(tested.Failures) > 0 {
				return fmt.Errorf("%d of %s failed", len(tested.Failures), plural.Count(tested.Examples, "example"))
			}
			return nil
		},
	}
	cli.FormatFlag(command, &format)
	return command
}

func (t *RulesTested) write(out io.Writer, format string) error {
	if format == "json" {
		return cli.WriteJSON(out, t)
	}
	for _, failure := range t.Failures {
		if _, err := fmt.Fprintln(out, failure); err != nil {
			return err
		}
	}
	if len(t.Failures) > 0 {
		return nil
	}
	_, err := fmt.Fprintf(out, "%s, %s: all hold\n", plural.Count(t.Rules, "rule"), plural.Count(t.Examples, "example"))
	return err
}

// Listed is a rule as rules list prints it as JSON.
type Listed struct {
	ID     string `json:"id"`
	Kind   string `json:"kind,omitempty"`
	Log    string `json:"log"`
	Role   string `json:"role"`
	Origin string `json:"origin"` // the file that it stands in
}

func listed(rules []*rule.Rule) []Listed {
	all := []Listed{}
	for _, r := range rules {
		l := Listed{ID: r.ID, Log: string(r.Type), Role: string(r.Role), Origin: r.Origin}
		if r.Kind.Valid() {
			l.Kind = r.Kind.String()
		}
		all = append(all, l)
	}
	return all
}

// loadRules returns the built-in rules, those of the configured folder, which need not exist, and
// those of one more file or folder.
func loadRules(cfg Config, extra string) (*rule.Set, error) {
	dirs, err := ruleDirs(cfg, extra)
	if err != nil {
		return nil, err
	}
	return detect.Load(dirs...)
}

// ruleDirs returns the folders with rules that are not built in.
func ruleDirs(cfg Config, extra string) ([]fs.FS, error) {
	var dirs []fs.FS
	if extra != "" {
		info, err := os.Stat(extra)
		if err != nil {
			return nil, fmt.Errorf("cannot read the rules: %w", err)
		}
		if info.IsDir() {
			dirs = append(dirs, rule.Folder{FS: os.DirFS(extra), Name: extra})
		} else {
			dirs = append(dirs, oneFile{os.DirFS(filepath.Dir(extra)), filepath.Base(extra)})
		}
	}
	if cfg.Rules != "" {
		if _, err := os.Stat(cfg.Rules); err == nil {
			dirs = append(dirs, rule.Folder{FS: os.DirFS(cfg.Rules), Name: cfg.Rules})
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("cannot read the rules: %w", err)
		}
	}
	return dirs, nil
}

// oneFile is a folder of which one file is seen.
type oneFile struct {
	fs.FS
	name string
}

// Glob finds the one file, whatever its name ends in.
func (f oneFile) Glob(string) ([]string, error) { return []string{f.name}, nil }
