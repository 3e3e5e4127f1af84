package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/control"
	"github.com/pialert/pialert/pkg/paircmd"
)

// What a person can do by a command over the control socket; buttons do the same.

type showRequest struct {
	Lamp string `json:"lamp"` // empty is the next one
}

type showAnswer struct {
	Lamp  string `json:"lamp"`
	Total uint64 `json:"total"`
}

type lightsRequest struct {
	On bool `json:"on"`
}

// controls is what commands can ask of the running display.
func (d *daemon) controls() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /status", control.Handle(func(ctx context.Context, _ struct{}) (Status, error) { return d.status(ctx) }))
	mux.Handle("POST /fleet", control.Handle(d.fleetAnswer))
	mux.Handle("POST /show", control.Handle(func(_ context.Context, in showRequest) (showAnswer, error) { return d.show(in.Lamp) }))
	mux.Handle("POST /lights", control.Handle(func(_ context.Context, in lightsRequest) (struct{}, error) {
		d.screen.panel.SetLights(in.On)
		return struct{}{}, nil
	}))
	mux.Handle("POST /poweroff", control.Handle(func(ctx context.Context, _ struct{}) (struct{}, error) { return struct{}{}, powerOff(ctx) }))
	mux.Handle("POST /events", control.Stream(d.events))
	mux.Handle("POST /watch", control.Stream(d.watch))
	mux.Handle("POST /today", control.Handle(d.today))
	mux.Handle("POST /count", control.Handle(d.countEvents))
	mux.Handle("POST /correct", control.Handle(d.correct))
	mux.Handle("POST /forget", control.Handle(d.forget))
	mux.Handle("POST /backup", control.Stream(d.backup))
	mux.Handle("POST /top", control.Handle(d.top))
	d.noticeControls(mux)
	paircmd.Handle(mux, d.keyring, d.invitations, d.states)
	return mux
}

// show shows a lamp's colour and total for a while; the next lamp's if the name is empty.
func (d *daemon) show(name string) (showAnswer, error) {
	var index int
	if name == "" {
		index = d.screen.panel.ShowNext()
	} else {
		var err error
		if index, err = d.screen.lamps.Find(name); err != nil {
			return showAnswer{}, err
		}
		d.screen.panel.Show(index)
	}
	lamps := d.configuration().Lamps
	if index < 0 || index >= len(lamps) {
		return showAnswer{}, errors.New("there is no lamp to show")
	}
	totals := make([]uint64, len(lamps))
	d.screen.lamps.Totals(totals, time.Now())
	return showAnswer{Lamp: lamps[index].Name, Total: totals[index]}, nil
}

func showCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "show [LAMP]",
		Short: "Show a lamp's colour and total on the device, or the next lamp's",
		Example: `  pialert-display show wordpress
  pialert-display show`,
		Args: cobra.MaximumNArgs(1),

		ValidArgsFunction: completeLamp(s),
		RunE: func(command *cobra.Command, args []string) error {
			var request showRequest
			if len(args) == 1 {
				request.Lamp = args[0]
			}
			var shown showAnswer
			if err := cli.Ask(command, s, "/show", request, &shown); err != nil {
				return err
			}
			fmt.Fprintf(command.OutOrStdout(), "%s %d\n", shown.Lamp, shown.Total)
			return nil
		},
	}
}

// completeLamp offers the names of the configured lamps as the first argument.
func completeLamp(s *settings) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		cfg, err := s.Load()
		if err != nil || len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []string
		for _, l := range cfg.Lamps {
			names = append(names, l.Name)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeDriver gives a command's --driver its words.
func completeDriver(command *cobra.Command) {
	command.RegisterFlagCompletionFunc("driver", cobra.FixedCompletions([]string{driverBlinkt, driverTerminal, driverNone}, cobra.ShellCompDirectiveNoFileComp))
}

func lightsCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:       "lights on|off",
		Short:     "Switch the lights on or off; counting goes on",
		Example:   "  pialert-display lights off",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"on", "off"},
		RunE: func(command *cobra.Command, args []string) error {
			return cli.Ask(command, s, "/lights", lightsRequest{On: args[0] == "on"}, nil)
		},
	}
}

func poweroffCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:     "poweroff",
		Short:   "Shut the machine of the running display down cleanly",
		Example: "  pialert-display poweroff",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return cli.Ask(command, s, "/poweroff", nil, nil)
		},
	}
}
