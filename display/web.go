package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pialert/pialert/display/internal/lamp"
	"github.com/pialert/pialert/display/internal/page"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/config"
)

// Web says where the page is served, and to whom.
type Web struct {
	// Listen is the address that the page is served at; empty serves none. Any other than the
	// loopback needs a password, which pialert-display web password sets.
	Listen string `yaml:"listen"`
	// Hosts lists names that browsers may know the page by, besides localhost, this machine's name
	// (with and without .local) and its addresses. Requests for other names are refused.
	Hosts []string `yaml:"hosts"`
	// Certificate is the file of a certificate for TLS, PEM. Without one, the page has a
	// certificate of its own wherever it is not served at the loopback.
	Certificate string `yaml:"certificate"`
	// Key is the file of the certificate's key, PEM.
	Key string `yaml:"key"`
	// PlainHTTP serves without TLS at other addresses than the loopback, too: everybody in the
	// network can then read the password and the page.
	PlainHTTP bool `yaml:"plain_http"`
}

// Geo says where addresses are looked up, for the page.
type Geo struct {
	// Database is a file in MaxMind's format that says the country of an address, such as
	// GeoLite2-Country.mmdb. Nothing is downloaded: without a file no country is shown.
	Database string `yaml:"database"`
	// Networks is a file in MaxMind's format that says who operates a network, such as
	// GeoLite2-ASN.mmdb.
	Networks string `yaml:"networks"`
}

func (w *Web) validate() error {
	var problems []error
	refuse := func(field string, value any, problem string) {
		problems = append(problems, &config.FieldError{Path: "web." + field, Value: value, Problem: problem})
	}
	if w.Listen != "" {
		if !config.Listenable(w.Listen) {
			refuse("listen", w.Listen, "give an address such as 127.0.0.1:9480, or nothing")
		}
	}
	for i, host := range w.Hosts {
		if host == "" || strings.ContainsAny(host, "/:*@ ") {
			refuse(fmt.Sprintf("hosts[%d]", i), host, "give a name without a port, such as pi.example.net")
		}
	}
	if (w.Certificate == "") != (w.Key == "") {
		refuse("key", w.Key, "give both files, certificate and key, or neither")
	}
	if w.PlainHTTP && w.Certificate != "" {
		refuse("plain_http", w.PlainHTTP, "leave it out, or the certificate")
	}
	return errors.Join(problems...)
}

// local says whether the page is for this machine only.
func (w *Web) local() bool {
	host, _, _ := net.SplitHostPort(w.Listen)
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.Unmap().IsLoopback()
}

// names are those that browsers may know the page by.
func (w *Web) names() []string {
	names := slices.Clone(w.Hosts)
	if host, err := os.Hostname(); err == nil && !w.local() {
		names = append(names, host, host+".local")
	}
	return names
}

// certificate returns what the page is served with; nil is plain HTTP.
func (w *Web) certificate(state string) (*tls.Certificate, error) {
	switch {
	case w.Certificate != "":
		certificate, err := tls.LoadX509KeyPair(w.Certificate, w.Key)
		if err != nil {
			return nil, fmt.Errorf("cannot use the page's certificate: %w", err)
		}
		return &certificate, nil
	case w.local() || w.PlainHTTP:
		return nil, nil
	}
	return page.OwnCertificate(state, w.names(), time.Now())
}

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
	listener    net.Listener
	certificate *tls.Certificate
}

// openWeb makes the page's server and opens its address; nil if none is configured.
func (d *daemon) openWeb(ctx context.Context) (*web, error) {
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
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return nil, cli.Hint(fmt.Errorf("cannot serve the page: %w", err), "set web.listen to another address, or to nothing")
	}
	return &web{d.page, listener, certificate}, nil
}

// newPage makes the page, which shows nothing before it is served.
func (d *daemon) newPage() *page.Server {
	var place func(netip.Addr) page.Place
	if d.cfg.Geo != (Geo{}) {
		place = func(a netip.Addr) page.Place { return page.Place(d.places.Place(a)) }
	}
	return page.New(page.Options{
		History: pageHistory{d.history}, Place: place, State: d.pageState, Zone: d.screen.lamps.Zone, Logger: d.logger,
		Access: page.Access{
			Hosts:    d.cfg.Web.names(),
			Password: func() (string, error) { return page.PasswordIn(d.cfg.State) },
		},
	})
}

// run serves the page until ctx ends.
func (w *web) run(ctx context.Context, d *daemon) error {
	scheme, attrs := "http", []any(nil)
	if w.certificate != nil {
		scheme, attrs = "https", []any{"fingerprint", page.Fingerprint(w.certificate)}
	}
	d.logger.Info("serving the page", append([]any{"at", scheme + "://" + w.listener.Addr().String() + "/"}, attrs...)...)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return w.Run(ctx) })
	group.Go(func() error { return w.Serve(ctx, w.listener, w.certificate) })
	group.Go(func() error { // events that were committed
		for {
			changed := d.history.Changed() // before it is told, so that no commit falls between
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

// pageState is what the page says of the running display.
func (d *daemon) pageState(ctx context.Context) (page.State, error) {
	status, err := d.status(ctx)
	if err != nil {
		return page.State{}, err
	}
	s := page.State{
		Name: status.Name, Version: status.Version, Started: status.Started, Total: status.Total,
		Problem: status.Problems, Lamp: d.screen.lamps.RouteCount,
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
		s.Agents = append(s.Agents, d.pageAgent(a))
	}
	for _, n := range status.Notices {
		s.Notices = append(s.Notices, page.Notice{
			Channel: n.Channel, Delivered: uint64(n.Delivered), Waiting: uint64(n.Queued), Failed: uint64(n.Failed), Answer: n.Answer, Answered: n.Answered,
		})
	}
	s.Since, err = d.history.First(ctx)
	return s, err
}

func (d *daemon) pageAgent(a AgentStatus) page.Agent {
	agent := page.Agent{
		Name: a.Name, Version: a.Version, Connected: a.Connected, Silent: a.Lost, Former: a.Former,
		Since: a.Link.Since, Heard: a.Heard, Address: a.Link.Address, Error: a.Error, Total: a.Total,
		Dropped: a.Dropped.Attempts,
	}
	if agent.Error == "" {
		agent.Error = a.Link.Error
	}
	for _, kind := range attack.Kinds() {
		if i, _ := d.screen.lamps.Route(a.Name, kind); i >= 0 && !slices.Contains(agent.Lamps, i) {
			agent.Lamps = append(agent.Lamps, i)
		}
	}
	slices.Sort(agent.Lamps)
	return agent
}
