package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/pialert/pialert/agent/internal/detect"
	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/agent/internal/scan"
	"github.com/pialert/pialert/pkg/cli"
)

func scanCommand(s *settings) *cobra.Command {
	var flags struct {
		format, typ, logFormat, rules string
		year                          int
		progress, summary             bool
	}
	command := &cobra.Command{
		Use:   "scan FILE...",
		Short: "Find the attacks in log files, from start to end",
		Long: `scan reads log files and prints the attacks in them, with the engine and the rules that run uses.
The kind of a log is recognised by its lines. "-" is standard input; files compressed by gzip are
read as they are. At the end stands a report: when, what, from where, at whom. JSON output is one
event per line and nothing else; with --summary it is one object, the report.`,
		Example: `  pialert-agent scan /var/log/auth.log
  pialert-agent scan --summary /var/log/auth.log.1 /var/log/auth.log
  pialert-agent scan --format json /var/log/apache2/access.log | jq -r .source_ip | sort | uniq -c
  pialert-agent scan --format json --summary /var/log/auth.log | jq .attempts
  journalctl -o short-iso | pialert-agent scan -`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			format, err := scan.ParseFormat(flags.format)
			if err != nil {
				return &cli.UsageError{Err: err}
			}
			options := scan.Options{
				Files: args, Type: rule.Type(flags.typ), LogFormat: flags.logFormat, Format: format, Summary: flags.summary,
				Stdin: command.InOrStdin(), Stdout: command.OutOrStdout(), Now: time.Now,
			}
			if term.IsTerminal(int(os.Stdout.Fd())) {
				options.Look.Width, _, _ = term.GetSize(int(os.Stdout.Fd())) // 0 if it cannot say
				options.Look.Color = os.Getenv("NO_COLOR") == ""
			}
			// Between events on the same terminal a bar would only be in the way.
			quiet := flags.summary || !term.IsTerminal(int(os.Stdout.Fd()))
			if flags.progress || quiet && term.IsTerminal(int(os.Stderr.Fd())) {
				options.Progress = command.ErrOrStderr()
			}
			if options.Detect, err = detectOptions(s, flags.rules); err != nil {
				return err
			}
			options.Detect.Year = flags.year
			_, err = scan.Run(command.Context(), options)
			return err
		},
	}
	command.Flags().StringVar(&flags.format, "format", "text", "text or json")
	command.Flags().StringVar(&flags.typ, "type", "auto", "kind of the logs: auto, syslog, sshd, access or error")
	command.Flags().StringVar(&flags.logFormat, "log-format", "", "Apache's LogFormat string of access logs in a format of their own (with --type access)")
	command.Flags().StringVar(&flags.rules, "rules", "", "file or folder with more rules, tried before the built-in ones")
	command.Flags().IntVar(&flags.year, "year", 0, "year of the first stamp that has none (default: the latest that is not in the future)")
	command.Flags().BoolVar(&flags.progress, "progress", false, "show a progress bar on standard error, also where it is no terminal")
	command.Flags().BoolVar(&flags.summary, "summary", false, "print the report only")
	return command
}

// detectOptions are the rules and the ignored addresses of the configuration, with more rules.
func detectOptions(s *settings, extra string) (detect.Options, error) {
	cfg, err := s.Load()
	if err != nil {
		return detect.Options{}, err
	}
	rules, err := loadRules(cfg, extra)
	if err != nil {
		return detect.Options{}, err
	}
	ignored, err := cfg.ignored()
	return detect.Options{Rules: rules, Ignore: ignored, Episodes: true}, err
}

func explainCommand(s *settings) *cobra.Command {
	var rules string
	command := &cobra.Command{
		Use:   "explain LINE",
		Short: "Say which rule takes a line of a log, with which fields, or why none does",
		Example: `  pialert-agent explain 'Nov 20 12:00:00 vps sshd[1]: Failed password for root from 192.0.2.7 port 22 ssh2'
  tail -n 1 /var/log/auth.log | pialert-agent explain -`,
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			line := args[0]
			if line == "-" {
				text, err := io.ReadAll(io.LimitReader(command.InOrStdin(), 1<<20))
				if err != nil {
					return fmt.Errorf("cannot read the line: %w", err)
				}
				line = string(text)
			}
			options, err := detectOptions(s, rules)
			if err != nil {
				return err
			}
			explanation, err := detect.Explain(options, strings.TrimRight(line, "\n"))
			if err != nil {
				return err
			}
			return explain(command.OutOrStdout(), explanation)
		},
	}
	command.Flags().StringVar(&rules, "rules", "", "file or folder with more rules, tried before the built-in ones")
	return command
}

// explain prints an explanation, with what an attacker wrote in quotes.
func explain(out io.Writer, x detect.Explanation) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "log\t%s\n", x.Type)
	if x.Tag != "" {
		fmt.Fprintf(table, "daemon\t%q, process %d on %q\n", x.Tag, x.PID, x.Host)
	}
	if x.Message != "" {
		fmt.Fprintf(table, "message\t%q\n", x.Message)
	}
	if x.Rule == nil {
		fmt.Fprintln(table, "rule\tnone")
	} else {
		fmt.Fprintf(table, "rule\t%s (%s)\n", x.Rule.ID, x.Rule.Origin)
		if x.Rule.Kind.Valid() {
			fmt.Fprintf(table, "kind\t%s\n", x.Rule.Kind)
		}
		fmt.Fprintf(table, "role\t%s\n", x.Rule.Role)
	}
	for _, field := range x.Fields {
		fmt.Fprintf(table, "%s\t%q\n", field.Name, field.Value)
	}
	fmt.Fprintf(table, "so\t%s\n", x.Why)
	return table.Flush()
}
