package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/pkg/broker"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/pairing"
	"github.com/pialert/pialert/pkg/plural"
)

// forgetTimeout bounds how long the broker may take to let this display in, and to answer.
const forgetTimeout = 5 * time.Minute

func fleetForgetCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "forget DISPLAY",
		Short: "Clear what waits at the broker for a display that is gone",
		Long: `forget takes what agents have left at the broker for another display off the stream, where it would wait, and take
room from all others, for ever, and takes no more for it unless it comes again. DISPLAY is what fleet status calls it
there. Unpair it at the agents, too, or their spools keep what is new for it; what they have forgotten on the
broker's word (acknowledged: stored) is gone.`,
		Example: "  sudo pialert-display fleet forget office",
		Args:    cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			cfg, err := s.Load()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(command.Context(), forgetTimeout)
			defer cancel()
			return fleetForget(ctx, command.OutOrStdout(), cfg, args[0])
		},
	}
}

func fleetForget(ctx context.Context, stdout io.Writer, cfg Config, display string) error {
	way := cfg.Link.NATS.For(cfg.Link.Dial)
	if way == nil {
		return errors.New("this display comes to no broker: link.dial is not nats")
	}
	keyring, err := pairing.Open(cfg.State, pairing.Display, cfg.Name)
	if err != nil {
		return withSudo(err)
	}
	n, err := broker.Forget(ctx, *way, keyring, func(all []broker.Waiting) (broker.ID, error) {
		return chosenDisplay(all, display, broker.DisplayID(keyring.Key()))
	})
	if err != nil {
		return withSudo(err)
	}
	fmt.Fprintf(stdout, "forgot %s for %s\n", plural.Count(n, "message"), display)
	return nil
}

// chosenDisplay finds a display by its name or ID among those that have read the stream.
func chosenDisplay(all []broker.Waiting, display string, own broker.ID) (id broker.ID, err error) {
	for _, one := range all {
		switch {
		case one.Name != display && string(one.Display) != display:
		case one.Display == own:
			return "", errors.New("that is this display")
		case id != "":
			return "", cli.Hint(fmt.Errorf("several displays are called %s", display), "say which: fleet status names their IDs")
		default:
			id = one.Display
		}
	}
	if id == "" {
		return "", cli.Hint(fmt.Errorf("the broker keeps nothing for a display %s", display), "see pialert-display fleet status")
	}
	return id, nil
}
