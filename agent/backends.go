package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/pialert/pialert/agent/internal/responder"
	"github.com/pialert/pialert/agent/internal/responder/hostsdeny"
	"github.com/pialert/pialert/agent/internal/responder/nftables"
	"github.com/pialert/pialert/agent/internal/responder/routeros"
	"github.com/pialert/pialert/agent/internal/value"
)

// Names of backends, as in the configuration.
const (
	backendNFTables  = "nftables"
	backendHostsDeny = "hosts_deny"
	backendRouterOS  = "routeros"
)

// firewall is the kernel's firewall as the responder's backend.
type firewall struct{ *nftables.Table }

var (
	_ responder.Quick    = firewall{}
	_ responder.Counting = firewall{}
)

func (f firewall) Sync(_ context.Context, bans []responder.Ban, allow value.Networks, now time.Time) (int, error) {
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

func (f denyFile) Sync(_ context.Context, bans []responder.Ban, _ value.Networks, _ time.Time) (int, error) {
	all := make([]netip.Prefix, len(bans))
	for i, ban := range bans {
		all[i] = ban.Target
	}
	return f.File.Sync(all)
}

// Leave takes the lines back: they would deny for ever.
func (f denyFile) Leave() error { return f.File.Remove() }

// router is a MikroTik router as the responder's backend.
type router struct{ *routeros.Router }

func (r router) Sync(ctx context.Context, bans []responder.Ban, _ value.Networks, _ time.Time) (int, error) {
	all := make([]routeros.Ban, len(bans))
	for i, ban := range bans {
		all[i] = routeros.Ban{Target: ban.Target, Until: ban.Until}
	}
	return r.Router.Sync(ctx, all)
}

// Watch waits: a router tells nobody that somebody changed its lists.
func (r router) Watch(ctx context.Context, _ func()) error {
	<-ctx.Done()
	return nil
}

// Remove takes every entry back.
func (r router) Remove() error { return r.Router.Remove(context.Background()) }

// router returns the client of a configured router; what Validate accepts has a certificate.
func (o RouterOS) router(agent string) *routeros.Router {
	certificate, _ := o.fingerprint()
	return routeros.New(routeros.Options{
		Address: o.Address, User: o.User, PasswordFile: o.PasswordFile, Certificate: certificate,
		List: cmp.Or(o.List, "pialert"), Comment: "pialert:" + agent,
	})
}

// fingerprint reads the certificate's.
func (o RouterOS) fingerprint() (sum [sha256.Size]byte, err error) {
	digits, ok := strings.CutPrefix(o.Certificate, "sha256:")
	raw, err := hex.DecodeString(strings.ReplaceAll(digits, ":", ""))
	if !ok || err != nil || len(raw) != len(sum) {
		return sum, errors.New("give sha256: and the 64 hexadecimal digits of the router's certificate's fingerprint")
	}
	return [sha256.Size]byte(raw), nil
}

// backends are those that are configured.
func (c *Config) backends() map[string]responder.Backend {
	r := &c.Responses
	all := map[string]responder.Backend{}
	if r.NFTables != nil {
		all[backendNFTables] = firewall{nftables.New(nftables.Options{Forward: r.NFTables.Forward})}
	}
	if r.HostsDeny != nil {
		all[backendHostsDeny] = denyFile{hostsdeny.New(hostsdeny.Options{Path: r.HostsDeny.path()})}
	}
	for _, one := range r.RouterOS {
		all[backendRouterOS+" "+one.Address] = router{one.router(c.Name)}
	}
	return all
}

// remover takes everything back that a backend put somewhere.
type remover interface{ Remove() error }

// removers are the backends that may have left something: those of the configuration, and on this machine
// those that it may have named before.
func (c *Config) removers() map[string]remover {
	all := map[string]remover{
		backendNFTables:  nftables.New(nftables.Options{}),
		backendHostsDeny: hostsdeny.New(hostsdeny.Options{Path: c.Responses.HostsDeny.path()}),
	}
	for _, one := range c.Responses.RouterOS {
		all[backendRouterOS+" "+one.Address] = router{one.router(c.Name)}
	}
	return all
}
