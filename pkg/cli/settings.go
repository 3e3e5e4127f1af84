package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/pkg/config"
	"github.com/pialert/pialert/pkg/pairing"
)

// Settings is where a program's configuration comes from: the --config flag that each of its commands
// has. Config is a struct with yaml tags; its pointer is a [config.Validator].
type Settings[Config any] struct {
	program  string
	path     string
	defaults func() Config
	given    func() bool
}

// NewSettings gives a root command the --config flag, with the path that it has by default.
func NewSettings[Config any](root *cobra.Command, path string, defaults func() Config) *Settings[Config] {
	s := &Settings[Config]{program: root.Name(), defaults: defaults}
	root.PersistentFlags().StringVar(&s.path, "config", path, "configuration file")
	s.given = func() bool { return root.PersistentFlags().Changed("config") }
	return s
}

// Path returns where the configuration is read.
func (s *Settings[Config]) Path() string { return s.path }

// Load reads the configuration over the defaults. The file of the default path may be missing: the
// defaults serve most people. One that was asked for must exist.
func (s *Settings[Config]) Load() (Config, error) {
	cfg := s.defaults()
	err := config.Load(s.path, &cfg)
	if errors.Is(err, fs.ErrNotExist) && !s.given() {
		err = nil
		if validator, ok := any(&cfg).(config.Validator); ok {
			err = validator.Validate()
		}
	}
	if errors.Is(err, fs.ErrPermission) {
		err = Hint(err, "it belongs to root and the service's group: try again with sudo, or give it back to them: sudo chgrp %s %s", s.program, s.path)
	}
	return cfg, err
}

// LoadReadable is [Settings.Load] for what needs no particular configuration: where this user may not
// read the file of the default path, it returns the defaults.
func (s *Settings[Config]) LoadReadable() (Config, error) {
	cfg, err := s.Load()
	if errors.Is(err, fs.ErrPermission) && !s.given() {
		return s.defaults(), nil
	}
	return cfg, err
}

// Common is what both programs' configurations have.
type Common struct {
	Name, State, Control, Metrics string
	Log                           Log
}

// Validate returns every field that cannot be used as joined [config.FieldError].
func (c Common) Validate() error {
	var problems []error
	refuse := func(path string, value any, problem string) {
		problems = append(problems, &config.FieldError{Path: path, Value: value, Problem: problem})
	}
	if err := pairing.CheckName(c.Name); err != nil {
		refuse("name", c.Name, err.Error())
	}
	if c.State == "" {
		refuse("state", c.State, "give a path")
	}
	if c.Control == "" {
		refuse("control", c.Control, "give a path")
	}
	if c.Metrics != "" {
		if !config.Listenable(c.Metrics) {
			refuse("metrics", c.Metrics, "give an address such as 127.0.0.1:9477, or nothing")
		}
	}
	if _, err := c.Log.Logger(nil); err != nil {
		refuse("log.format", c.Log.Format, "use text or json")
	}
	return errors.Join(problems...)
}

// Run reads the configuration and runs the program that start makes of it, until the command's
// context ends. load reads it again, for a reload.
func Run[Config any, Program interface{ Run(context.Context) error }](command *cobra.Command, load func() (Config, error),
	log func(Config) Log, start func(Config, *slog.Logger) (Program, error)) error {
	cfg, err := load()
	if err != nil {
		return err
	}
	logger, err := log(cfg).Logger(command.ErrOrStderr())
	if err != nil {
		return err
	}
	limitMemory(os.DirFS("/"))
	program, err := start(cfg, logger)
	if err != nil {
		return err
	}
	ctx, done := context.WithCancel(command.Context())
	defer done()
	go giveBack(ctx)
	return program.Run(ctx)
}

// Reload reads the configuration at each SIGHUP and has take put it in force, until ctx ends. One that
// cannot be used is reported, and changes nothing.
func Reload[Config any](ctx context.Context, logger *slog.Logger, load func() (Config, error), take func(Config) error) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hangup:
		}
		cfg, err := load()
		if err == nil {
			err = take(cfg)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			logger.Error("cannot reload the configuration; the old one stays", "error", err)
			continue
		}
		logger.Info("reloaded the configuration")
	}
}

// Good is what there is to say of a configuration that can be used.
type Good struct {
	What     string   `json:"holds"`
	Notes    []string `json:"notes"`
	Warnings []string `json:"warnings"` // what will not do what its owner thinks
}

// Checked is what the check command prints as JSON.
type Checked struct {
	File     string   `json:"file"`
	Good     bool     `json:"good"`
	Mistakes []string `json:"mistakes"`
	Notes    []string `json:"notes"`
	Warnings []string `json:"warnings"`
}

// CheckCommand makes the check command of [ConfigCommand]. good says in a few words what a
// configuration holds, or what else is wrong with it; it is asked about one with mistakes, too.
func CheckCommand[Config any](s *Settings[Config], short, long, example string, good func(Config) (Good, error)) *cobra.Command {
	var format string
	command := &cobra.Command{
		Use: "check", Short: short, Long: long, Example: example, Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			cfg, err := s.Load()
			found, more := good(cfg)
			err = errors.Join(err, more)
			if format == "json" {
				checked := Checked{File: s.path, Good: err == nil, Mistakes: []string{}, Notes: append([]string{}, found.Notes...), Warnings: append([]string{}, found.Warnings...)}
				for mistake := range config.Each(err) {
					checked.Mistakes = append(checked.Mistakes, mistake.Error())
				}
				if err := WriteJSON(command.OutOrStdout(), checked); err != nil {
					return err
				}
			}
			if err != nil {
				return counted(err)
			}
			if format == "json" {
				return nil
			}
			printLine(command.OutOrStdout(), "%s is good: %s", s.path, found.What)
			for _, note := range found.Notes {
				printLine(command.OutOrStdout(), "  %s", note)
			}
			for _, warning := range found.Warnings {
				printLine(command.OutOrStdout(), "warning: %s", warning)
			}
			return nil
		},
	}
	FormatFlag(command, &format)
	return command
}

// counted puts each of several mistakes into a line of its own.
func counted(err error) error {
	var lines []string
	for each := range config.Each(err) {
		lines = append(lines, each.Error())
	}
	if len(lines) < 2 {
		return err
	}
	return fmt.Errorf("%d mistakes\n  %s", len(lines), strings.Join(lines, "\n  "))
}

func printLine(out io.Writer, format string, args ...any) error {
	_, err := fmt.Fprintf(out, format+"\n", args...)
	return err
}
