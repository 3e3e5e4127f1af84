package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/pialert/pialert/agent/internal/detect"
	"github.com/pialert/pialert/agent/internal/detect/login"
	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/agent/internal/scan"
	"github.com/pialert/pialert/agent/internal/source/journal"
	"github.com/pialert/pialert/pkg/cli"
)

func scanCommand(s *settings) *cobra.Command {
	var flags struct {
		format, typ, logFormat, rules string
		since, until                  string
		year                          int
		progress, summary             bool
		missed, learn                 bool
	}
	command := &cobra.Command{
		Use:   "scan FILE...",
		Short: "Find the attacks in log files, from start to end",
		Long: `scan reads log files and prints the attacks in them, with the engine and the rules that run uses.
The kind of a log is recognised by its lines, each by itself. A FILE may be compressed (.gz, .xz, .zst,
.bz2), a folder, a pattern in quotes, "journal" for systemd's journal, or "-" for standard input. Several are
read side by side, in the order of their stamps: an attempt that two logs tell of counts once. At the end
stands a report: when, what, from where, at whom. JSON output is one event per line and nothing else; with
--summary it is one object, the report.`,
		Example: `  pialert-agent scan /var/log/auth.log
  pialert-agent scan --summary /var/log/auth.log.1 /var/log/auth.log
  pialert-agent scan --format json /var/log/apache2/access.log | jq -r .source_ip | sort | uniq -c
  pialert-agent scan --format json --summary /var/log/auth.log | jq .attempts
  pialert-agent scan --since yesterday journal
  pialert-agent scan --missed /var/log`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			// What a scan remembers is little, so that most need not be collected before they end.
			defer debug.SetGCPercent(debug.SetGCPercent(200))
			detecting, err := detectOptions(s, flags.rules)
			if err != nil {
				return err
			}
			detecting.Year = flags.year
			options := scan.Options{
				Files: args, Type: rule.Type(flags.typ), LogFormat: flags.logFormat, Format: scan.Format(flags.format), Summary: flags.summary,
				Stdin: command.InOrStdin(), Stdout: command.OutOrStdout(), Now: time.Now, Detect: detecting,
			}
			if term.IsTerminal(int(os.Stdout.Fd())) {
				options.Look.Width, _, _ = term.GetSize(int(os.Stdout.Fd())) // 0 if it cannot say
				options.Look.Color = os.Getenv("NO_COLOR") == "" && !slices.Contains([]string{"", "dumb"}, os.Getenv("TERM"))
			}
			if columns, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && columns > 0 { // who says so knows
				options.Look.Width = columns
			}
			// Between events on the same terminal a bar would only be in the way.
			quiet := flags.summary || !term.IsTerminal(int(os.Stdout.Fd()))
			if flags.progress || quiet && term.IsTerminal(int(os.Stderr.Fd())) {
				options.Progress = command.ErrOrStderr()
			}
			options.Missed = flags.missed
			if flags.learn {
				cfg, err := s.Load()
				if err != nil {
					return err
				}
				options.Learned = func(known []login.Known) error {
					return learn(cfg.State, known, command.ErrOrStderr())
				}
			}
			if options.Since, err = parseTime(flags.since, options.Now()); err != nil {
				return &cli.UsageError{Err: fmt.Errorf("--since: %w", err)}
			}
			if options.Until, err = parseTime(flags.until, options.Now()); err != nil {
				return &cli.UsageError{Err: fmt.Errorf("--until: %w", err)}
			}
			if !options.Until.IsZero() && options.Until.Before(options.Since) {
				return &cli.UsageError{Err: fmt.Errorf("--until %s is before --since %s: nothing lies between", flags.until, flags.since)}
			}
			options.Journal = func(ctx context.Context, to io.Writer) error {
				return journal.New(journal.Options{Name: sourceJournal, Matches: journalMatches}).Read(ctx, options.Since, options.Until, to)
			}
			if _, err = scan.Run(command.Context(), options); errors.Is(err, fs.ErrPermission) {
				err = cli.Hint(err, "logs are root's and their group's: run the command with sudo")
			}
			return err
		},
	}
	cli.FormatFlag(command, &flags.format)
	command.Flags().StringVar(&flags.typ, "type", "auto", "kind of the logs: auto, syslog, sshd, access or error")
	command.Flags().StringVar(&flags.logFormat, "log-format", "", "Apache's LogFormat string of access logs in a format of their own (with --type access)")
	command.Flags().StringVar(&flags.rules, "rules", "", "file or folder with more rules, tried before the built-in ones")
	command.Flags().IntVar(&flags.year, "year", 0, "year of the first stamp that has none (default: the latest that is not in the future)")
	command.Flags().BoolVar(&flags.progress, "progress", false, "show a progress bar on standard error, also where it is no terminal")
	command.Flags().BoolVar(&flags.summary, "summary", false, "print the report only")
	command.Flags().BoolVar(&flags.missed, "missed", false, "print the lines of known daemons that no rule takes, and nothing else")
	command.Flags().BoolVar(&flags.learn, "learn", false, "teach the agent from which networks users log in, so that it tells of new ones only (after its reload)")
	command.Flags().StringVar(&flags.since, "since", "", "leave out what was logged before: a time, today, yesterday, or a span such as 2h or 7d ago")
	command.Flags().StringVar(&flags.until, "until", "", "leave out what was logged later")
	command.RegisterFlagCompletionFunc("type", cobra.FixedCompletions([]string{"auto", "syslog", "sshd", "access", "error"}, cobra.ShellCompDirectiveNoFileComp))
	return command
}

// parseTime reads a time as people write it: a date with or without a time of day, today, yesterday, or
// a span that is counted back from now. An empty text is no time.
func parseTime(text string, now time.Time) (time.Time, error) {
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	switch text {
	case "":
		return time.Time{}, nil
	case "now":
		return now, nil
	case "today":
		return midnight, nil
	case "yesterday":
		return midnight.AddDate(0, 0, -1), nil
	}
	for _, form := range []string{time.RFC3339, "2006-01-02", "2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if t, err := time.ParseInLocation(form, text, now.Location()); err == nil {
			return t, nil
		}
	}
	span := strings.TrimSpace(strings.TrimSuffix(text, "ago"))
	if days, ok := strings.CutSuffix(span, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return now.AddDate(0, 0, -int(n)), nil
		}
	}
	if back, err := time.ParseDuration(span); err == nil && back >= 0 {
		return now.Add(-back), nil
	}
	return time.Time{}, fmt.Errorf("cannot read %q as a time: give 2026-11-21, \"2026-11-21 15:04\", today, yesterday, 2h or 7d", text)
}

// detectOptions are the rules of the configuration, with more rules. Whom the configuration ignores is
// not: a scan reports every address.
func detectOptions(s *settings, extra string) (detect.Options, error) {
	cfg, err := s.Load()
	if err != nil {
		return detect.Options{}, err
	}
	rules, err := loadRules(cfg, extra)
	if err != nil {
		return detect.Options{}, err
	}
	return detect.Options{Rules: rules, Floods: cfg.floods(), Spreads: cfg.spreads()}, nil
}

// Explained is what explain prints as JSON.
type Explained struct {
	Log     string            `json:"log"`
	Host    string            `json:"host,omitempty"`
	Daemon  string            `json:"daemon,omitempty"`
	Message string            `json:"message,omitempty"`
	Rule    string            `json:"rule,omitempty"` // nothing if no rule takes the line
	Kind    string            `json:"kind,omitempty"`
	Fields  map[string]string `json:"fields"`
	So      string            `json:"so"` // what becomes of the line, and why
}

func explained(x detect.Explanation) Explained {
	e := Explained{Log: string(x.Type), Host: x.Host, Daemon: x.Tag, Message: x.Message, Fields: map[string]string{}, So: x.Why}
	if x.Rule != nil {
		e.Rule = x.Rule.ID
		if x.Rule.Kind.Valid() {
			e.Kind = x.Rule.Kind.String()
		}
	}
	for _, field := range x.Fields {
		e.Fields[field.Name] = field.Value
	}
	return e
}

func explainCommand(s *settings) *cobra.Command {
	var rules, format string
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
			cfg, err := s.Load()
			if err != nil {
				return err
			}
			ignored, err := cfg.ignored(nil)
			if err != nil {
				return err
			}
			options.Ignore = ignored.Contains
			explanation, err := detect.Explain(options, strings.TrimRight(line, "\n"))
			if err != nil {
				return err
			}
			if format == "json" {
				return cli.WriteJSON(command.OutOrStdout(), explained(explanation))
			}
			return explain(command.OutOrStdout(), explanation)
		},
	}
	command.Flags().StringVar(&rules, "rules", "", "file or folder with more rules, tried before the built-in ones")
	cli.FormatFlag(command, &format)
	return command
}

// explain prints an explanation, with what an attacker wrote in quotes.
func explain(out io.Writer, x detect.Explanation) error {
	table := cli.NewTable(out)
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
