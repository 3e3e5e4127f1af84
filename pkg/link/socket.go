package link

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"github.com/pialert/pialert/pkg/socket"
)

// DefaultPort is the port of the end that listens, unless it is told another one. It needs no privilege.
const DefaultPort = "7483"

const unixScheme = "unix:"

// Listen opens sockets: "HOST:PORT" or ":PORT" for TCP, over IPv4 and IPv6, and "unix:PATH".
// Either all are open afterwards or none is. Errors name the address and say what to do.
//
// Everyone on the machine may connect to a Unix socket so opened, as everyone may to a TCP port:
// it is the keys that decide.
func Listen(ctx context.Context, addresses ...string) ([]net.Listener, error) {
	var sockets []net.Listener
	for _, address := range addresses {
		open, err := listen(ctx, address)
		if err != nil {
			for _, earlier := range sockets {
				earlier.Close()
			}
			return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
		}
		sockets = append(sockets, open)
	}
	return sockets, nil
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	if path, ok := strings.CutPrefix(address, unixScheme); ok {
		return socket.Listen(ctx, path, 0o666)
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("%w: write HOST:PORT, or :PORT for all addresses of this machine", err)
	}
	config := net.ListenConfig{KeepAliveConfig: keepAlive, Control: setUserTimeout}
	listener, err := config.Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%w: another program uses this port (sudo ss -ltnp 'sport = :%s' names it): stop it, or set link.listen to another one", syscall.EADDRINUSE, port)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("port %s is reserved for root: choose one above 1023, such as %s", port, DefaultPort)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, errors.New("no network interface of this machine has this address: ip address lists those it has")
	}
	return listener, err
}
