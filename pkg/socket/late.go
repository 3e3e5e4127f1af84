package socket

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// Late is a TCP address that its program can do without, such as that of a page. While another program has it, or the
// machine does not have it yet, Late asks for it again and again, and says so. Its methods may be called from any
// goroutine, Run once.
type Late struct {
	What    string // that is served there: "the page"
	Key     string // of the configuration, where it stands
	Address string // HOST:PORT; empty serves nothing
	Logger  *slog.Logger

	fault atomic.Pointer[error]
}

// again is how long Late waits before it asks once more.
const again = 10 * time.Second

// Fault returns why the address is not open, nil if it is.
func (l *Late) Fault() error {
	if fault := l.fault.Load(); fault != nil {
		return *fault
	}
	return nil
}

// Run opens the address as soon as that is possible and serves there until ctx ends. Serve closes the listener.
func (l *Late) Run(ctx context.Context, serve func(context.Context, net.Listener) error) error {
	if l.Address == "" {
		return nil
	}
	for {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", l.Address)
		if err == nil {
			if l.fault.Swap(nil) != nil {
				l.Logger.Info("serving "+l.What+" after all", "at", l.Address)
			}
			return serve(ctx, listener)
		}
		if ctx.Err() != nil {
			return nil
		}
		why := fmt.Errorf("cannot serve %s at %s: %w", l.What, l.Address, l.explain(err))
		if l.fault.Swap(&why) == nil {
			l.Logger.Error("going on without", "error", why)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(again):
		}
	}
}

// explain says what to do.
func (l *Late) explain(err error) error {
	if _, port, split := net.SplitHostPort(l.Address); split == nil && errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w: another program uses this port (sudo ss -ltnp 'sport = :%s' names it): stop it, or set %s to another address or to nothing", syscall.EADDRINUSE, port, l.Key)
	}
	return fmt.Errorf("%w; set %s to another address, or to nothing", err, l.Key)
}
