package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/spf13/cobra"

	"github.com/pialert/pialert/display/internal/button"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/control"
	"github.com/pialert/pialert/pkg/paircmd"
)

// What a person can do, by a button or by a command over the control socket.

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
	mux.Handle("POST /show", control.Handle(func(_ context.Context, in showRequest) (showAnswer, error) { return d.show(in.Lamp) }))
	mux.Handle("POST /lights", control.Handle(func(_ context.Context, in lightsRequest) (struct{}, error) {
		d.screen.panel.SetLights(in.On)
		return struct{}{}, nil
	}))
	mux.Handle("POST /poweroff", control.Handle(func(ctx context.Context, _ struct{}) (struct{}, error) { return struct{}{}, powerOff(ctx) }))
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

// powerOff shuts the machine down through systemd-logind, which asks polkit whether this user may.
func powerOff(ctx context.Context) error {
	bus, err := dbus.ConnectSystemBus(dbus.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("cannot power off: no system bus: %w", err)
	}
	defer bus.Close()
	const interactive = false
	login := bus.Object("org.freedesktop.login1", "/org/freedesktop/login1")
	if err := login.CallWithContext(ctx, "org.freedesktop.login1.Manager.PowerOff", 0, interactive).Err; err != nil {
		return cli.Hint(fmt.Errorf("cannot power off: %w", err), "the package's polkit rule lets the user pialert-display do it")
	}
	return nil
}

// buttonPoll is how often buttons are read: often enough to see the bounces of a tap.
const buttonPoll = 5 * time.Millisecond

// watchButtons does what the buttons ask for, if there are any.
func (d *daemon) watchButtons(ctx context.Context) error {
	if d.screen.hardware == nil || len(d.screen.hardware.buttons) == 0 {
		return nil
	}
	wired := d.configuration().Pins
	show, lights := d.screen.hardware.buttons[wired.ButtonShow], d.screen.hardware.buttons[wired.ButtonLights]
	var showButton, lightsButton button.Button
	tick := time.NewTicker(buttonPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			if show != nil {
				if action, _ := showButton.Feed(!show.Read(), now); action == button.Short {
					d.screen.panel.ShowNext()
				}
			}
			if lights != nil {
				action, held := lightsButton.Feed(!lights.Read(), now)
				d.pressLights(ctx, action, held)
			}
		}
	}
}

// pressLights does what the second button means: a tap switches the lights, a long press powers
// off, which the LEDs confirm while it is held.
func (d *daemon) pressLights(ctx context.Context, action button.Action, held float64) {
	switch action {
	case button.Short:
		d.screen.panel.ToggleLights()
	case button.Holding:
		if held < 0.2 { // it has just begun
			d.screen.panel.Hold(button.Long)
		}
	case button.Released:
		d.screen.panel.Release()
	case button.LongDone:
		d.logger.Info("powering off: the button was held")
		if err := powerOff(ctx); err != nil {
			d.logger.Error("the button does nothing", "error", err)
			d.screen.panel.Release()
			d.screen.panel.Say("Err", 3*time.Second)
		}
	}
}

func showCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "show [LAMP]",
		Short: "Show a lamp's colour and total on the device, or the next lamp's",
		Example: `  pialert-display show wordpress
  pialert-display show`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			cfg, err := s.load()
			if err != nil {
				return err
			}
			var request showRequest
			if len(args) == 1 {
				request.Lamp = args[0]
			}
			var shown showAnswer
			if err := call(command.Context(), cfg, "/show", request, &shown); err != nil {
				return err
			}
			fmt.Fprintf(command.OutOrStdout(), "%s %d\n", shown.Lamp, shown.Total)
			return nil
		},
	}
}

func lightsCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:       "lights on|off",
		Short:     "Switch the lights on or off; counting goes on",
		Example:   "  pialert-display lights off",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"on", "off"},
		RunE: func(command *cobra.Command, args []string) error {
			cfg, err := s.load()
			if err != nil {
				return err
			}
			return call(command.Context(), cfg, "/lights", lightsRequest{On: args[0] == "on"}, nil)
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
			cfg, err := s.load()
			if err != nil {
				return err
			}
			return call(command.Context(), cfg, "/poweroff", nil, nil)
		},
	}
}
