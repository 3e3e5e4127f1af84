package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/agent/internal/detect"
	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/agent/internal/rule/messages"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/plural"
)

// coverageCommand prints what the daemons can write, and which rule takes it.
func coverageCommand(load func() (*rule.Set, error)) *cobra.Command {
	var format string
	command := &cobra.Command{
		Use:   "coverage [DAEMON]",
		Short: "Print what daemons can write about attacks, and which rule takes it",
		Long: `The messages are read from the daemons' own sources: each that tells of a failed, refused or
suspicious login, request or connection, with the rule that takes it, or the reason why it is no
attack. Without DAEMON there is one line for each daemon; with it, one for each message.

It fails if a message that tells of an attack is taken by no rule.`,
		Example: `  pialert-agent rules coverage
  pialert-agent rules coverage sshd
  pialert-agent rules coverage --format json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			rules, err := load()
			if err != nil {
				return err
			}
			covered, err := cover(rules, args)
			if err != nil {
				return err
			}
			out := command.OutOrStdout()
			switch {
			case format == "json":
				err = cli.WriteJSON(out, covered)
			case len(args) > 0:
				err = printMessages(out, covered)
			default:
				err = printCoverage(out, covered)
			}
			if err != nil {
				return err
			}
			return missed(covered)
		},
	}
	cli.FormatFlag(command, &format)
	return command
}

// cover looks up the messages of all daemons, or of those whose names have all the words.
func cover(rules *rule.Set, words []string) ([]messages.Coverage, error) {
	files, err := messages.Load()
	if err != nil {
		return nil, err
	}
	find := func(line string) (string, bool) {
		found, err := detect.Explain(detect.Options{Rules: rules}, line)
		if err != nil || found.Rule == nil {
			return "", false
		}
		return found.Rule.ID, found.Rule.Kind.Valid()
	}
	var covered []messages.Coverage
	var names []string
	for _, file := range files {
		names = append(names, file.Daemon)
		if len(words) > 0 && !strings.Contains(file.Daemon, words[0]) {
			continue
		}
		if last := len(covered) - 1; last >= 0 && covered[last].Daemon == file.Daemon { // of two files
			covered[last].Add(file.Cover(find))
			continue
		}
		covered = append(covered, file.Cover(find))
	}
	if len(covered) == 0 {
		return nil, fmt.Errorf("no messages of %q are known: use one of %s", words[0], strings.Join(names, ", "))
	}
	return covered, nil
}

func printCoverage(out io.Writer, covered []messages.Coverage) error {
	table := cli.NewTable(out)
	fmt.Fprintln(table, "DAEMON\tMESSAGES\tATTACKS\tTAKEN\tHARMLESS\tTRIED AS")
	var sum messages.Coverage
	for _, c := range covered {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%s\n", c.Daemon, c.Messages, c.Attacks, c.Taken, c.Harmless, plural.Count(c.Lines, "line"))
		sum.Add(c)
	}
	fmt.Fprintf(table, "all\t%d\t%d\t%d\t%d\t%s\n", sum.Messages, sum.Attacks, sum.Taken, sum.Harmless, plural.Count(sum.Lines, "line"))
	return table.Flush()
}

func printMessages(out io.Writer, covered []messages.Coverage) error {
	for _, c := range covered {
		fmt.Fprintf(out, "%s: %s, read from %s\n", c.Daemon, plural.Count(c.Messages, "message"), strings.Join(c.Read, ", "))
		for _, m := range c.Listed {
			fmt.Fprintf(out, "\n%s\n", m.Format)
			line := func(name, value string) {
				if value != "" {
					fmt.Fprintf(out, "  %-9s%s\n", name, value)
				}
			}
			line("where", m.Where)
			line("since", m.Since)
			line("until", m.Until)
			line("level", m.Level)
			line("client", strings.Join(m.Client, ", "))
			line("example", m.Example)
			switch {
			case m.Missed:
				line("rule", "none takes it, although it is "+m.Kind)
			case m.Kind != "":
				line("rule", m.Rule+" counts it as "+m.Kind)
			default:
				line("harmless", m.Reason)
			}
		}
	}
	return nil
}

// missed is an error if a message of an attack is taken by no rule.
func missed(covered []messages.Coverage) error {
	count := 0
	for _, c := range covered {
		count += c.Attacks - c.Taken
	}
	if count > 0 {
		return fmt.Errorf("no rule takes %s of attacks", plural.Count(count, "message"))
	}
	return nil
}
