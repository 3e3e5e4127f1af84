package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Status tells systemd a line for systemctl status while the program starts; outside of systemd it does nothing.
func Status(status string) {
	_, _ = daemon.SdNotify(false, "STATUS="+status) // it is said in the log, too
}

// Notify tells systemd that the program is ready, what it is doing, and that it lives, until ctx
// ends; outside of systemd it does nothing. alive is what the watchdog tests: while it returns an
// error, systemd hears nothing and restarts the program in the end. status is one line for
// systemctl status.
func Notify(ctx context.Context, alive func() error, status func() string) error {
	if _, err := daemon.SdNotify(false, daemon.SdNotifyReady+"\nSTATUS="+status()); err != nil {
		return fmt.Errorf("cannot tell systemd that the program is ready: %w", err)
	}
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return fmt.Errorf("cannot serve systemd's watchdog: %w", err)
	}
	if interval == 0 {
		interval = time.Minute
	}
	tick := time.NewTicker(interval / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			_, err := daemon.SdNotify(false, daemon.SdNotifyStopping)
			return err
		case <-tick.C:
			state := "STATUS=" + status()
			if alive() == nil {
				state += "\n" + daemon.SdNotifyWatchdog
			}
			// What fails now may work at the next tick; if not, the watchdog ends the program.
			_, _ = daemon.SdNotify(false, state)
		}
	}
}
