package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/netip"

	"github.com/pialert/pialert/agent/internal/source"
	"github.com/pialert/pialert/agent/internal/source/syslog"
	"github.com/pialert/pialert/pkg/cli"
)

// open makes a port of its configuration. It opens nothing.
func (l Syslog) open(inherited cli.Inherited, restore source.Restore, logger *slog.Logger) (*syslog.Port, error) {
	network, address := l.address()
	options := syslog.Options{
		Name: l.Listen, Network: network, Address: address, ByHeader: l.Host == hostHeader, Buffer: int(cmp.Or(l.Buffer, defaultBuffer)),
		Names: map[netip.Addr]string{}, Restore: restore, Logger: logger,
	}
	if network != "udp" {
		options.Buffer = 0
	}
	var err error
	if options.From, err = networks("from", l.From); err != nil {
		return nil, err
	}
	for text, name := range l.Names {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return nil, fmt.Errorf("names: %w", err)
		}
		options.Names[addr.Unmap().WithZone("")] = name
	}
	kind := network
	if network == "tls" {
		kind = "tcp"
		if options.TLS, err = l.serving().Config(); err != nil {
			return nil, err
		}
	}
	options.File = inherited.Find(kind, address)
	return syslog.New(options), nil
}
