package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/pialert/pialert/display/internal/page"
	"github.com/pialert/pialert/pkg/cli"
)

func webCommand(s *settings) *cobra.Command {
	group := &cobra.Command{Use: "web", Short: "Set the page's password, and show its fingerprint"}
	group.AddCommand(passwordCommand(s), fingerprintCommand(s))
	return group
}

func passwordCommand(s *settings) *cobra.Command {
	var remove bool
	command := &cobra.Command{
		Use:   "password",
		Short: "Set the password that the page asks for",
		Long: `password asks for a password twice, or reads one line where the input is no terminal. What is kept
is its Argon2id hash. It is in force at once, without a restart, and ends the sessions of the
former one.`,
		Example: `  sudo pialert-display web password
  pass pialert | sudo pialert-display web password
  sudo pialert-display web password --remove     the page is for whoever reaches it`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			cfg, err := s.Load()
			if err != nil {
				return err
			}
			if remove {
				if !cfg.Web.local() && cfg.Web.Listen != "" {
					return cli.Hint(fmt.Errorf("%w: web.listen is %s", errNoPassword, cfg.Web.Listen), "set web.listen to 127.0.0.1:9480 first")
				}
				if err := page.RemovePassword(cfg.State); err != nil {
					return fmt.Errorf("cannot remove the password: %w", err)
				}
				fmt.Fprintln(command.OutOrStdout(), "The page asks for no password.")
				return nil
			}
			password, err := askPassword(command.Context(), os.Stdin, command.ErrOrStderr())
			if err != nil {
				return err
			}
			if err := page.SetPassword(cfg.State, password); err != nil {
				return fmt.Errorf("cannot set the password: %w", err)
			}
			fmt.Fprintln(command.OutOrStdout(), "The page asks for the new password from now on.")
			return nil
		},
	}
	command.Flags().BoolVar(&remove, "remove", false, "ask for no password any more; only where the page is served at the loopback")
	return command
}

// askPassword reads a password: twice from a terminal, without showing it, else one line.
func askPassword(ctx context.Context, in *os.File, out io.Writer) (string, error) {
	fd := int(in.Fd())
	if !term.IsTerminal(fd) {
		line, err := bufio.NewReader(io.LimitReader(in, 4<<10)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("cannot read the password: %w", err)
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	// An interrupt must leave a terminal that shows what is typed.
	shown, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("cannot read the password: %w", err)
	}
	defer context.AfterFunc(ctx, func() {
		term.Restore(fd, shown)
		os.Exit(1)
	})()
	read := func(prompt string) (string, error) {
		fmt.Fprint(out, prompt)
		text, err := term.ReadPassword(fd)
		fmt.Fprintln(out)
		return string(text), err
	}
	password, err := read("Password: ")
	if err == nil {
		var again string
		if again, err = read("Once more: "); err == nil && again != password {
			return "", errors.New("the two passwords differ")
		}
	}
	if err != nil {
		return "", fmt.Errorf("cannot read the password: %w", err)
	}
	return password, nil
}

func fingerprintCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:     "fingerprint",
		Short:   "Print the SHA-256 fingerprint of the page's certificate, to compare with the browser's",
		Example: "  sudo pialert-display web fingerprint",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			cfg, err := s.Load()
			if err != nil {
				return err
			}
			certificate, err := cfg.Web.certificate(cfg.State)
			if err != nil {
				return err
			}
			if certificate == nil {
				return cli.Hint(errors.New("the page is served without TLS"), "it has a certificate where web.listen is no loopback address")
			}
			_, err = fmt.Fprintln(command.OutOrStdout(), page.Fingerprint(certificate))
			return err
		},
	}
}
