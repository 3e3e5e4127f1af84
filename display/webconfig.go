package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/pialert/pialert/display/internal/page"
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
