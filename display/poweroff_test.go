package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	process "github.com/pialert/pialert/packaging/demo/program"
)

// busConfig is a system bus on which everybody may do everything.
const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=%s</listen>
  <policy context="default">
    <allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>
  </policy>
</busconfig>
`

// logind stands in for systemd-logind on a real bus of its own.
type logind struct {
	address string
	asked   chan bool // what PowerOff was called with
	refuse  bool
}

// PowerOff is org.freedesktop.login1.Manager's.
func (l *logind) PowerOff(interactive bool) *dbus.Error {
	l.asked <- interactive
	if l.refuse {
		return dbus.NewError("org.freedesktop.DBus.Error.AccessDenied", []any{"Permission denied"})
	}
	return nil
}

// startLogind starts a bus in the board's folder, with a logind on it that obeys or refuses.
func startLogind(b *board, refuse bool) *logind {
	b.t.Helper()
	socket := b.path("bus")
	b.must(os.WriteFile(b.path("bus.conf"), fmt.Appendf(nil, busConfig, socket), 0o644))
	daemon, err := process.Start(exec.Command("dbus-daemon", "--nofork", "--nopidfile", "--print-address", "--config-file="+b.path("bus.conf")))
	if errors.Is(err, exec.ErrNotFound) {
		b.t.Fatal("dbus-daemon is missing: sudo apt-get install dbus")
	}
	b.must(err)
	b.t.Cleanup(daemon.Kill)
	b.must(daemon.Stdout.Await(b.ctx, func(text string) bool { return strings.HasSuffix(text, "\n") || daemon.Ended() }))
	l := &logind{address: "unix:path=" + socket, asked: make(chan bool, 8), refuse: refuse}
	bus, err := dbus.Connect(l.address)
	if err != nil {
		b.t.Fatalf("%v\n%s", err, daemon.Stderr)
	}
	b.t.Cleanup(func() { bus.Close() })
	b.must(bus.Export(l, "/org/freedesktop/login1", "org.freedesktop.login1.Manager"))
	if reply, err := bus.RequestName("org.freedesktop.login1", dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		b.t.Fatalf("cannot be logind: %v, %v", reply, err)
	}
	return l
}

// await waits until PowerOff is called.
func (l *logind) await(b *board) {
	b.t.Helper()
	select {
	case interactive := <-l.asked:
		if interactive {
			b.t.Error("logind was asked to ask somebody for a password")
		}
	case <-b.ctx.Done():
		b.t.Fatalf("logind was not asked to power off:\n%s", b.Stderr)
	}
}

// TestPowerOff holds the button of a running display, by the level of its pin, until it has asked
// logind on a real D-Bus to power off. The command does the same.
func TestPowerOff(t *testing.T) {
	t.Parallel()
	const show, lights = 17, 27
	b := newBoard(t, fmt.Sprintf("pins: rpio\nwiring: {button_show: %d, button_lights: %d}\n", show, lights))
	login := startLogind(b, false)
	b.setLevel(show, true)
	b.setLevel(lights, true)
	b.run([]string{"DBUS_SYSTEM_BUS_ADDRESS=" + login.address}, "--vcd", b.path("pins.vcd"))
	b.says("reading the buttons")

	pressed := time.Now()
	b.setLevel(lights, false)
	login.await(b)
	if held := time.Since(pressed); held < 2*time.Second {
		t.Errorf("it was powered off after %s", held)
	}
	b.says("powering off: the button was held")

	b.command("poweroff")
	login.await(b)
	b.setLevel(lights, true) // a finger, too, lets go only when it has seen the LEDs full

	b.must(b.Stop(b.ctx))
	full := 0 // pictures in which all LEDs are red, the confirmation
	for _, picture := range pictures(t, b.path("pins.vcd")) {
		red := 0
		for _, p := range picture {
			if p.R == 255 && p.G == 0 && p.B == 0 {
				red++
			}
		}
		if red == len(picture) {
			full++
		}
	}
	if full == 0 {
		t.Error("the LEDs did not fill up while the button was held")
	}
}

func TestPowerOffThatIsRefused(t *testing.T) {
	t.Parallel()
	b := newBoard(t, "")
	login := startLogind(b, true)
	b.start("", []string{"DBUS_SYSTEM_BUS_ADDRESS=" + login.address}, "run", "--driver", driverNone)
	b.says("msg=running")
	_, err := b.tryCommand("poweroff")
	if err == nil || !strings.Contains(err.Error(), "Permission denied") || !strings.Contains(err.Error(), "polkit") {
		t.Errorf("poweroff says %v", err)
	}
	login.await(b)
	b.must(b.Stop(b.ctx))
}
