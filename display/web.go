package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/pialert/pialert/display/internal/lamp"
	"github.com/pialert/pialert/display/internal/page"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/socket"
)

// errNoPassword refuses to show the page to everybody.
var errNoPassword = errors.New("cannot serve the page off the loopback without a password")

// guarded refuses a page that everybody in the network could look at.
func (c Config) guarded() error {
	if c.Web.Listen == "" || c.Web.local() {
		return nil
	}
	if hash, err := page.PasswordIn(c.State); err != nil || hash != "" {
		return err
	}
	return cli.Hint(fmt.Errorf("%w: web.listen is %s", errNoPassword, c.Web.Listen), "set one with: sudo pialert-display web password")
}

// web is the page with what it is served by.
type web struct {
	*page.Server
	address     *socket.Late
	certificate *tls.Certificate
	committed   func() <-chan struct{} // closed at the next commit of events
	logger      *slog.Logger
}

// openWeb makes the page's server; nil if none is configured.
func (d *daemon) openWeb() (*web, error) {
	cfg := d.cfg.Web
	if cfg.Listen == "" {
		return nil, nil
	}
	if err := d.cfg.guarded(); err != nil {
		return nil, err
	}
	certificate, err := cfg.certificate(d.cfg.State)
	if err != nil {
		return nil, err
	}
	return &web{d.page, d.browsed, certificate, d.history.Changed, d.logger}, nil
}

// newPage makes the page, which shows nothing before it is served.
func (d *daemon) newPage() *page.Server {
	var place func(netip.Addr) page.Place
	if d.cfg.Geo != (Geo{}) {
		place = func(a netip.Addr) page.Place { return page.Place(d.places.Place(a)) }
	}
	return page.New(page.Options{
		Name: d.keyring.Name(), History: pageHistory{d.history}, Place: place, State: d.pageState, Zone: d.screen.lamps.Zone, Logger: d.logger,
		Access: page.Access{
			Hosts:    d.cfg.Web.names(),
			Password: func() (string, error) { return page.PasswordIn(d.cfg.State) },
		},
	})
}

// run serves the page until ctx ends.
func (w *web) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return w.Run(ctx) })
	group.Go(func() error { return w.address.Run(ctx, w.serve) })
	group.Go(func() error { // events that were committed
		for {
			changed := w.committed() // before it is told, so that no commit falls between
			w.Stored()
			select {
			case <-ctx.Done():
				return nil
			case <-changed:
			}
		}
	})
	return group.Wait()
}

// serve answers browsers until ctx ends.
func (w *web) serve(ctx context.Context, listener net.Listener) error {
	scheme, attrs := "http", []any(nil)
	if w.certificate != nil {
		scheme, attrs = "https", []any{"fingerprint", page.Fingerprint(w.certificate)}
	}
	w.logger.Info("serving the page", append([]any{"at", scheme + "://" + listener.Addr().String() + "/"}, attrs...)...)
	return w.Serve(ctx, listener, w.certificate)
}

// pageState is what the page says of the running display.
func (d *daemon) pageState(ctx context.Context) (page.State, error) {
	status, err := d.status(ctx)
	if err != nil {
		return page.State{}, err
	}
	s := page.State{
		Version: status.Version, Started: status.Started, Total: status.Total,
		Problem: status.Problems, Lamp: d.screen.lamps.RouteCount, Routes: d.screen.lamps.Routed(), LampsOf: d.lampsOf,
	}
	for _, l := range status.Lamps {
		color, err := lamp.ParseColor(l.Color)
		if err != nil { // lamp.Validate refused it before
			return page.State{}, err
		}
		label := l.Label
		if label == "" {
			label = l.Name
		}
		s.Lamps = append(s.Lamps, page.Lamp{Name: l.Name, Label: label, Color: page.Color(color), LED: l.LED, Total: l.Total})
	}
	for _, a := range status.Agents {
		s.Agents = append(s.Agents, pageAgent(a))
	}
	for _, n := range status.Notices {
		s.Notices = append(s.Notices, page.Notice{
			Channel: n.Channel, Delivered: uint64(n.Delivered), Waiting: uint64(n.Queued), Failed: uint64(n.Failed), Answer: n.Answer, Answered: n.Answered,
		})
	}
	s.Since, err = d.history.First(ctx)
	return s, err
}

func pageAgent(a AgentStatus) page.Agent {
	agent := page.Agent{
		Name: a.Name, Version: a.Version, Connected: a.Connected, Silent: a.Lost, Former: a.Former,
		Since: a.Link.Since, Heard: a.Heard, Address: a.Link.Address, Error: a.Error, Total: a.Total,
		Dropped: a.Dropped.Attempts,
	}
	if agent.Error == "" {
		agent.Error = a.Link.Error
	}
	return agent
}

// lampsOf returns the lamps that an agent lights.
func (d *daemon) lampsOf(agent string) (lamps []int) {
	for _, kind := range attack.Kinds() {
		if i, _ := d.screen.lamps.Route(agent, kind); i >= 0 && !slices.Contains(lamps, i) {
			lamps = append(lamps, i)
		}
	}
	slices.Sort(lamps)
	return lamps
}
