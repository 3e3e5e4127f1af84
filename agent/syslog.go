package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"slices"

	"github.com/pialert/pialert/agent/internal/source"
	"github.com/pialert/pialert/agent/internal/source/syslog"
	"github.com/pialert/pialert/pkg/cli"
)

// port is a listener that is kept across reloads as long as its configuration is the same.
type port struct {
	*syslog.Port
	cfg Syslog
}

// syslogPorts returns the ports of a configuration: those that are in use already where they are the same.
// It opens nothing.
func (d *daemon) syslogPorts(cfg Config, restore source.Restore, logger *slog.Logger) ([]*port, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var ports []*port
	for i, l := range cfg.Syslog {
		at := slices.IndexFunc(d.ports, func(p *port) bool { return reflect.DeepEqual(p.cfg, l) })
		if at >= 0 {
			ports = append(ports, d.ports[at])
			continue
		}
		p, err := l.open(d.inherited, restore, logger)
		if err != nil {
			return nil, fmt.Errorf("syslog[%d]: %w", i, err)
		}
		ports = append(ports, p)
	}
	return ports, nil
}

// open makes a port of its configuration. It opens nothing.
func (l Syslog) open(inherited cli.Inherited, restore source.Restore, logger *slog.Logger) (*port, error) {
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
	return &port{syslog.New(options), l}, nil
}

// keepPorts notes which ports are in use.
func (d *daemon) keepPorts(used []*port) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ports = used
}

// retirePorts has those ports end with their run that a configuration has no use for.
func (d *daemon) retirePorts(cfg Config) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ports = slices.DeleteFunc(d.ports, func(p *port) bool {
		if slices.ContainsFunc(cfg.Syslog, func(l Syslog) bool { return reflect.DeepEqual(l, p.cfg) }) {
			return false
		}
		p.Retire()
		return true
	})
}
