package main

import (
	"context"
	"net/netip"
	"time"

	"github.com/pialert/pialert/agent/internal/responder"
	"github.com/pialert/pialert/agent/internal/responder/hostsdeny"
	"github.com/pialert/pialert/agent/internal/responder/nftables"
)

// Names of backends, as in the configuration.
const (
	backendNFTables  = "nftables"
	backendHostsDeny = "hosts_deny"
)

// firewall is the kernel's firewall as the responder's backend.
type firewall struct{ *nftables.Table }

func (f firewall) Sync(_ context.Context, bans []responder.Ban, allow []netip.Prefix, now time.Time) (int, error) {
	all := make([]nftables.Ban, len(bans))
	for i, ban := range bans {
		all[i] = nftables.Ban{Target: ban.Target, Until: ban.Until}
	}
	return f.Table.Sync(all, allow, now)
}

func (f firewall) Add(ban responder.Ban, now time.Time) error {
	return f.Table.Add(nftables.Ban{Target: ban.Target, Until: ban.Until}, now)
}

// Leave does nothing: elements of sets end by themselves.
func (f firewall) Leave() error { return nil }

// denyFile is hosts.deny as the responder's backend.
type denyFile struct{ *hostsdeny.File }

func (f denyFile) Sync(_ context.Context, bans []responder.Ban, _ []netip.Prefix, _ time.Time) (int, error) {
	all := make([]netip.Prefix, len(bans))
	for i, ban := range bans {
		all[i] = ban.Target
	}
	return f.File.Sync(all)
}

// Leave takes the lines back: they would deny for ever.
func (f denyFile) Leave() error { return f.File.Remove() }

// backends are those that are configured.
func (r *Responses) backends() map[string]responder.Backend {
	all := map[string]responder.Backend{}
	if r.NFTables != nil {
		all[backendNFTables] = firewall{nftables.New(nftables.Options{Forward: r.NFTables.Forward})}
	}
	if r.HostsDeny != nil {
		all[backendHostsDeny] = denyFile{hostsdeny.New(hostsdeny.Options{Path: r.HostsDeny.path()})}
	}
	return all
}

// remover takes everything back that a backend put somewhere.
type remover interface{ Remove() error }

// removers are the backends that may have left something: those of the configuration, and on this machine
// those that it may have named before.
func (r *Responses) removers() map[string]remover {
	return map[string]remover{
		backendNFTables:  nftables.New(nftables.Options{}),
		backendHostsDeny: hostsdeny.New(hostsdeny.Options{Path: r.HostsDeny.path()}),
	}
}
