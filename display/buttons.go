package main

import (
	"context"
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/pialert/pialert/display/internal/button"
)

// runButtons reads the buttons that are wired, once the hardware is there.
func (d *daemon) runButtons(ctx context.Context) error {
	if d.screen.hardware == nil {
		return nil
	}
	h, err := d.screen.hardware.Wait(ctx)
	if err != nil {
		return nil //nolint:nilerr // the context's: it is time to stop
	}
	b := &button.Buttons{Panel: d.screen.panel, PowerOff: powerOff, Logger: d.logger}
	wired := d.configuration().Wiring
	if pin, ok := h.buttons[wired.ButtonShow]; ok {
		b.Show = pin
	}
	if pin, ok := h.buttons[wired.ButtonLights]; ok {
		b.Lights = pin
	}
	return b.Run(ctx)
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
