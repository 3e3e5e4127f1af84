package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

// darkWithin bounds how long a signal that kills is held up. What draws may hang: then systemd's
// watchdog sends SIGABRT.
const darkWithin = time.Second

// dieInTheDark lets signals that kill do so only once everything is dark. These are SIGQUIT and
// SIGABRT, after which Go prints where every goroutine was, and a second SIGINT or SIGTERM, of
// which the first asks the whole program to stop. halt ends the drawing; dark is closed after it.
func dieInTheDark(halt func(), dark <-chan struct{}) {
	deadly := make(chan os.Signal, 4)
	signal.Notify(deadly, syscall.SIGQUIT, syscall.SIGABRT, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(deadly)
	asked := false
	for {
		select {
		case <-dark:
			return
		case sig := <-deadly:
			if asks := sig == syscall.SIGINT || sig == syscall.SIGTERM; asks && !asked {
				asked = true
				continue
			}
			halt()
			select {
			case <-dark:
			case <-time.After(darkWithin):
			}
			signal.Reset(sig)
			syscall.Kill(os.Getpid(), sig.(syscall.Signal))
		}
	}
}
