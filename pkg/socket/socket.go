// Package socket opens Unix sockets that only this program serves, and tells who connects to one. It also opens TCP
// addresses that a program can do without, once they are free.
//
// It replaces the Unix socket of a program that was killed, one that nobody answers on. It never removes
// anything else: not a socket that is served, and no file, folder or link.
package socket

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// Listen opens a socket at path, whose folder must exist, with the given permissions. Errors say what
// to do.
func Listen(ctx context.Context, path string, mode os.FileMode) (net.Listener, error) {
	if err := removeStale(ctx, path); err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, mode); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

// removeStale removes the socket of a program that was killed.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != os.ModeSocket {
		return errors.New("something that is no socket has this name: remove it or choose another path")
	}
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "unix", path)
	if err == nil {
		conn.Close()
		return errors.New("another program answers there: stop it or choose another path")
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return os.Remove(path)
	}
	return err
}
