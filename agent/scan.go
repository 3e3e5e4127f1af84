package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/pialert/pialert/agent/internal/detect"
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
read as they are. JSON output is one event per line and nothing else.`,
		Example: `  pialert-agent scan /var/log/auth.log
  pialert-agent scan --summary /var/log/auth.log.1 /var/log/auth.log
  pialert-agent scan --format json /var/log/apache2/access.log | jq -r .source_ip | sort | uniq -c
  journalctl -o short-iso | pialert-agent scan -`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			format := scan.Format(flags.format)
			if format != scan.Text && format != scan.JSON {
				return &cli.UsageError{Err: fmt.Errorf("unknown format %q: use text or json", flags.format)}
			}
			options := scan.Options{
				Files: args, Type: detect.Type(flags.typ), LogFormat: flags.logFormat, Format: format, Summary: flags.summary,
				Stdin: command.InOrStdin(), Stdout: command.OutOrStdout(), Now: time.Now,
			}
			if flags.progress || term.IsTerminal(int(os.Stderr.Fd())) && !term.IsTerminal(int(os.Stdout.Fd())) {
				options.Progress = command.ErrOrStderr()
			}
			var err error
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
	command.Flags().BoolVar(&flags.summary, "summary", false, "print the summary only")
	return command
}

// detectOptions are the rules and the ignored addresses of the configuration, with more rules.
func detectOptions(s *settings, extra string) (detect.Options, error) {
	cfg, err := s.load()
	if err != nil {
		return detect.Options{}, err
	}
	rules, err := loadRules(cfg, extra)
	if err != nil {
		return detect.Options{}, err
	}
	ignored, err := cfg.ignored()
	return detect.Options{Rules: rules, Ignore: ignored}, err
}

