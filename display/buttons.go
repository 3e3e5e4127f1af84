package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/pialert/pialert/display/internal/button"
	"github.com/pialert/pialert/display/internal/panel"
)

// buttonPoll is how often buttons are read: often enough to see the bounces of a tap.
const buttonPoll = 5 * time.Millisecond

// sorryLong is how long the digits say that a press did nothing.
const sorryLong = 3 * time.Second

// level is a pin that is read.
type level interface {
	// Read returns whether it is high, which a button is while nobody presses it.
	Read() bool
}

// buttons are the push buttons. One cycles the lamps. The other switches the lights with a tap
// and powers off with a long press, which the LEDs confirm while it is held.
type buttons struct {
	show, lights level // nil if there is none
	panel        *panel.Panel
	powerOff     func(context.Context) error
	logger       *slog.Logger

	showButton, lightsButton button.Button
}

// runButtons reads the buttons that are wired, once the hardware is there.
func (d *daemon) runButtons(ctx context.Context) error {
	if d.screen.hardware == nil {
		return nil
	}
	select {
	case <-d.screen.hardware.ready:
	case <-ctx.Done():
		return nil
	}
	h, err := d.screen.hardware.get()
	if err != nil {
		return err
	}
	b := &buttons{panel: d.screen.panel, powerOff: powerOff, logger: d.logger}
	wired := d.configuration().Wiring
	if pin, ok := h.buttons[wired.ButtonShow]; ok {
		b.show = pin
	}
	if pin, ok := h.buttons[wired.ButtonLights]; ok {
		b.lights = pin
	}
	return b.Run(ctx)
}

// Run does what the buttons ask for until ctx ends.
func (b *buttons) Run(ctx context.Context) error {
	if b.show == nil && b.lights == nil {
		return nil
	}
	tick := time.NewTicker(buttonPoll)
	defer tick.Stop()
	b.read(ctx, time.Now())
	b.logger.Info("reading the buttons")
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			b.read(ctx, now)
		}
	}
}

// read looks at both.
func (b *buttons) read(ctx context.Context, now time.Time) {
	if b.show != nil {
		if action, _ := b.showButton.Feed(!b.show.Read(), now); action == button.Short {
			b.panel.ShowNext()
		}
	}
	if b.lights != nil {
		action, held := b.lightsButton.Feed(!b.lights.Read(), now)
		b.press(ctx, action, held)
	}
}

// press does what the second button means.
func (b *buttons) press(ctx context.Context, action button.Action, held float64) {
	switch action {
	case button.Short:
		b.panel.ToggleLights()
	case button.Holding: // said again and again; the panel only takes the first
		b.panel.Hold(time.Duration((1 - held) * float64(button.Long)))
	case button.Released:
		b.panel.Release()
	case button.LongDone:
		b.logger.Info("powering off: the button was held")
		if err := b.powerOff(ctx); err != nil {
			b.logger.Error("the button cannot power off", "error", err)
			b.panel.Release()
			b.panel.Say("Err", sorryLong)
		}
	}
}

// powerOffWithin bounds the time that logind may take to answer.
const powerOffWithin = 10 * time.Second

// powerOff shuts the machine down through systemd-logind, which asks polkit whether this user may.
// The system bus is where DBUS_SYSTEM_BUS_ADDRESS says, if it is set.
func powerOff(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, powerOffWithin)
	defer cancel()
	bus, err := dbus.ConnectSystemBus(dbus.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("cannot power off, there is no system bus (install dbus, and systemd-logind with it): %w", err)
	}
	defer bus.Close()
	const interactive = false
	login := bus.Object("org.freedesktop.login1", "/org/freedesktop/login1")
	if err := login.CallWithContext(ctx, "org.freedesktop.login1.Manager.PowerOff", 0, interactive).Err; err != nil {
		return fmt.Errorf("cannot power off (the package's polkit rule lets the user pialert-display do it): %w", err)
	}
	return nil
}
