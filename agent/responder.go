package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/pialert/pialert/agent/internal/responder"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/control"
	"github.com/pialert/pialert/pkg/plural"
)

func responderCommand(s *settings) *cobra.Command {
	agent := "pialert-agent"
	command := &cobra.Command{
		Use:   "responder",
		Short: "Carry out what the agent decides: the privileged half of responses",
		Long: `responder is what the unit pialert-responder.service starts. It listens on a Unix socket, on which
only the agent's user and root are answered, and keeps bans in force. It refuses whatever is beyond
its bounds, and nobody in responses.allow is ever banned. What ends by itself stays in force when it
stops; lines of hosts.deny, which do not, are taken back.`,
		Example: "  sudo pialert-agent responder --config /etc/pialert/agent.yaml",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			cfg, err := s.Load()
			if err != nil {
				return err
			}
			return runResponder(command.Context(), cfg, agent, command.ErrOrStderr())
		},
	}
	command.Flags().StringVar(&agent, "agent-user", agent, "user whose processes may decide, beside root")
	command.AddCommand(unitCommand(s), &cobra.Command{
		Use:     "remove",
		Short:   "Take every ban back from the system, as before an uninstallation",
		Example: "  sudo pialert-agent responder remove",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := s.Load()
			if err != nil { // a mistake in the configuration leaves nobody banned by a program that is gone
				cfg, err = defaults(), fmt.Errorf("taking back only what is on this machine: %w", err)
			}
			problems := []error{err}
			for name, backend := range cfg.removers() {
				if err := backend.Remove(); err != nil {
					problems = append(problems, fmt.Errorf("%s: %w", name, err))
				}
			}
			return errors.Join(problems...)
		},
	})
	return command
}

func runResponder(ctx context.Context, cfg Config, agent string, log io.Writer) error {
	logger, err := cfg.Log.Logger(log)
	if err != nil {
		return err
	}
	backends := cfg.backends()
	if len(backends) == 0 {
		return errors.New("no backend is configured: set responses.nftables")
	}
	for name, former := range cfg.removers() {
		if _, used := backends[name]; !used {
			if err := former.Remove(); err != nil { // it may be forbidden, or never have been there
				logger.Debug("cannot take back what another configuration may have left", "backend", name, "error", err)
			}
		}
	}
	// It speaks to no name server: what names have, the agent tells.
	allowed, err := cfg.Responses.allowed(func(context.Context, string) ([]netip.Addr, error) { return nil, nil }, logger)
	if err != nil {
		return err
	}
	never, err := cfg.Responses.exempt(allowed, noPeers)
	if err != nil {
		return err
	}
	users, err := deciders(agent)
	if err != nil {
		return err
	}
	r, err := responder.Open(responder.Options{
		Path: filepath.Join(cfg.Responses.State, "bans.db"), Bounds: responder.DefaultBounds(), Allow: allowed.Networks,
		Names: func() []string { return slices.Collect(maps.Keys(allowed.Names())) }, Never: never.Why,
		Backends: backends, Now: time.Now, Logger: logger,
	})
	if err != nil {
		return err
	}
	defer r.Close()
	listener, err := control.Listen(cfg.Responses.Socket, users...)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.Run(ctx) })
	group.Go(func() error { return allowed.Run(ctx) })
	group.Go(func() error { return control.Serve(ctx, listener, r.Handler()) })
	group.Go(func() error {
		return cli.Notify(ctx, func() error { return nil }, func() string { return plural.Count(r.Status().Bans, "ban") })
	})
	logger.Info("responding", "socket", cfg.Responses.Socket, "bans", r.Status().Bans)
	if err := group.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// deciders are root, the responder's own user, and the agent's.
func deciders(agent string) ([]uint32, error) {
	users := []uint32{0, uint32(os.Getuid())}
	account, err := user.Lookup(agent)
	if err != nil {
		var unknown user.UnknownUserError
		if errors.As(err, &unknown) {
			return users, nil // the agent runs as root or as this user then
		}
		return nil, fmt.Errorf("cannot find the agent's user: %w", err)
	}
	id, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("the user %s has the id %q: %w", agent, account.Uid, err)
	}
	return append(users, uint32(id)), nil
}
