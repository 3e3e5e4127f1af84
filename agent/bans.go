package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/agent/internal/responder"
	"github.com/pialert/pialert/agent/internal/value"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/config"
	"github.com/pialert/pialert/pkg/control"
	"github.com/pialert/pialert/pkg/escape"
	"github.com/pialert/pialert/pkg/plural"
)

// What a person can do about bans. The running agent passes it on to the responder, so that a ban of a
// person's is an event like every other.

type banRequest struct {
	Target netip.Prefix  `json:"target"`
	For    time.Duration `json:"for,omitempty"`
	Reason string        `json:"reason,omitempty"`
}

func (d *daemon) banControls(mux *http.ServeMux) {
	mux.Handle("POST /bans", control.Stream(func(ctx context.Context, _ struct{}, out control.Flusher) error {
		encoder := json.NewEncoder(out)
		return noResponder(d.current().responder.Bans(ctx, func(ban responder.Listed) error { return encoder.Encode(ban) }))
	}))
	mux.Handle("POST /responder", control.Handle(func(ctx context.Context, _ struct{}) (responder.Status, error) {
		status, err := d.current().responder.Status(ctx)
		return status, noResponder(err)
	}))
	mux.Handle("POST /ban", control.Handle(func(ctx context.Context, in banRequest) (responder.Ban, error) {
		ban, err := d.current().responses.Ban(ctx, responder.Request{Target: in.Target, For: in.For, Reason: in.Reason})
		return ban, noResponder(err)
	}))
	mux.Handle("POST /unban", control.Handle(func(ctx context.Context, in banRequest) (responder.Ban, error) {
		ban, err := d.current().responses.Unban(ctx, in.Target)
		return ban, noResponder(err)
	}))
	mux.Handle("POST /bans/pause", control.Handle(func(ctx context.Context, in banRequest) (struct{}, error) {
		return struct{}{}, noResponder(d.current().responder.Pause(ctx, in.For))
	}))
	mux.Handle("POST /bans/flush", control.Handle(func(ctx context.Context, _ struct{}) (int, error) {
		n, err := d.current().responses.Flush(ctx)
		return n, noResponder(err)
	}))
	mux.Handle("POST /responses/confirm", control.Handle(func(context.Context, struct{}) (struct{}, error) {
		return struct{}{}, d.current().responses.Confirm()
	}))
}

// noResponder says what to do where the responder does not run.
func noResponder(err error) error {
	if errors.Is(err, control.ErrNotRunning) {
		return errors.New("nobody carries bans out: start the responder with: sudo systemctl enable --now pialert-responder")
	}
	return err
}

// banTarget reads an address, or a network, as it is banned.
func banTarget(text string) (netip.Prefix, error) {
	target, ok := value.Network(text)
	if !ok {
		return target, &cli.UsageError{Err: cli.Hint(fmt.Errorf("%q is no address or network", text), "give one such as 203.0.113.7 or 2001:db8::/64")}
	}
	if target.IsSingleIP() {
		target = value.Source(target.Addr())
	}
	return target, nil
}

func banCommand(s *settings) *cobra.Command {
	span, reason := config.Duration(time.Hour).String(), "by hand"
	command := &cobra.Command{
		Use:   "ban ADDRESS",
		Short: "Ban an address or a network",
		Example: `  sudo pialert-agent ban 203.0.113.7 --for 1d --reason "tries every name"
  sudo pialert-agent ban 2001:db8::/64`,
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			target, err := banTarget(args[0])
			if err != nil {
				return err
			}
			length, err := config.ParseDuration(span)
			if err != nil {
				return &cli.UsageError{Err: fmt.Errorf("--for: %w", err)}
			}
			var ban responder.Ban
			if err := cli.Ask(command, s, "/ban", banRequest{target, time.Duration(length), reason}, &ban); err != nil {
				return err
			}
			fmt.Fprintf(command.OutOrStdout(), "banned %s until %s\n", ban.Target, ban.Until.Local().Format(time.DateTime))
			return nil
		},
	}
	command.Flags().StringVar(&span, "for", span, "how long, such as 30m, 2h or 7d")
	command.Flags().StringVar(&reason, "reason", reason, "what for, for whoever lists the bans")
	return command
}

func unbanCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:     "unban ADDRESS",
		Short:   "Let an address or a network in again",
		Example: "  sudo pialert-agent unban 203.0.113.7",
		Args:    cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			target, err := banTarget(args[0])
			if err != nil {
				return err
			}
			var ban responder.Ban
			if err := cli.Ask(command, s, "/unban", banRequest{Target: target}, &ban); err != nil {
				return err
			}
			fmt.Fprintf(command.OutOrStdout(), "let %s in again\n", ban.Target)
			return nil
		},
	}
}

func bansCommand(s *settings) *cobra.Command {
	var format string
	command := &cobra.Command{
		Use:   "bans",
		Short: "List who is banned, since when, until when and why",
		Example: `  sudo pialert-agent bans
  sudo pialert-agent bans --format json | jq -r .target`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			cfg, err := s.Load()
			if err != nil {
				return err
			}
			answer, err := cfg.Running().Open(command.Context(), "/bans", nil)
			if err != nil {
				return err
			}
			defer answer.Close()
			if format == "json" {
				encoder := cli.NewEncoder(command.OutOrStdout())
				return responder.ReadBans(answer, func(ban responder.Listed) error { return encoder.Encode(ban) })
			}
			var status responder.Status
			if err := cfg.Running().Ask(command.Context(), "/responder", nil, &status); err != nil {
				return err
			}
			return writeBans(command.OutOrStdout(), answer, status, time.Now())
		},
	}
	cli.FormatFlag(command, &format)
	command.AddCommand(pauseBansCommand(s), flushBansCommand(s))
	return command
}

// writeBans prints the bans for people.
func writeBans(out io.Writer, bans io.Reader, status responder.Status, now time.Time) error {
	table, n := cli.NewTable(out), 0
	err := responder.ReadBans(bans, func(ban responder.Listed) error {
		if n++; n == 1 {
			fmt.Fprintln(table, "WHO\tSINCE\tENDS IN\tIN FORCE\tWHY\tEVIDENCE")
		}
		where := cmp.Or(strings.Join(ban.InForce, ", "), "nowhere")
		_, err := fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", ban.Target, cli.Ago(ban.Since, now), ban.Until.Sub(now).Round(time.Second),
			where, escape.Text(ban.Reason), escape.Text(ban.Evidence))
		return err
	})
	if err := errors.Join(err, table.Flush()); err != nil {
		return err
	}
	if n == 0 {
		fmt.Fprintln(out, "nobody is banned")
	}
	if !status.Paused.IsZero() {
		fmt.Fprintf(out, "\nnone is in force: paused for %s\n", status.Paused.Sub(now).Round(time.Second))
	}
	for _, backend := range status.Backends {
		if backend.Dropped > 0 {
			fmt.Fprintf(out, "\n%s dropped %s\n", backend.Name, plural.Count(backend.Dropped, "packet"))
		}
		if backend.Error != "" {
			fmt.Fprintf(out, "\nproblem: %s: %s\n", backend.Name, escape.Text(backend.Error))
		}
	}
	return nil
}

func pauseBansCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:     "pause SPAN",
		Short:   "Have no ban in force for a while; 0s ends a pause",
		Example: "  sudo pialert-agent bans pause 5m",
		Args:    cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			span, err := config.ParseDuration(args[0])
			if err != nil {
				return &cli.UsageError{Err: err}
			}
			return cli.Ask(command, s, "/bans/pause", banRequest{For: time.Duration(span)}, nil)
		},
	}
}

func flushBansCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:     "flush",
		Short:   "Let everybody in again",
		Example: "  sudo pialert-agent bans flush",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			var n int
			if err := cli.Ask(command, s, "/bans/flush", nil, &n); err != nil {
				return err
			}
			fmt.Fprintf(command.OutOrStdout(), "let %d in again\n", n)
			return nil
		},
	}
}
