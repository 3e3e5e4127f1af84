// Package dyndns keeps a dynamic DNS name pointing at this machine, for a display at home that
// agents dial.
//
// An [Updater] asks a web service under which public address this machine is seen, and calls
// the update URL of the name's provider when that has changed. It works with every provider
// whose update is one GET request, as those of freemyip, DuckDNS and the dyndns2 protocol are.
// The update URL holds the secret that owns the name: it is never logged, and redirects, which
// would carry it elsewhere, are not followed.
package dyndns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/pialert/pialert/pkg/backoff"
	"github.com/pialert/pialert/pkg/config"
)

// DefaultInterval is how often the address is asked for unless the configuration says otherwise.
const DefaultInterval = 5 * time.Minute

const (
	requestTimeout = 30 * time.Second
	firstPause     = time.Minute // after a failure; doubled after each further one
	lastPause      = time.Hour   // providers block those who knock too often
	maxAnswer      = 4096        // bytes read of an answer
)

// Placeholder stands in an update URL for the address.
const Placeholder = "{ip}"

// Updater keeps one name up to date.
type Updater struct {
	// UpdateURL is called with GET when the address has changed. {ip} in it stands for the
	// address; without it the provider takes the address that the request comes from.
	UpdateURL config.Secret
	// AddressURL answers a GET with the caller's public address as text.
	AddressURL string
	Interval   time.Duration // between questions; zero stands for DefaultInterval
	Client     *http.Client  // its redirects are not followed; nil stands for a plain one
	Log        *slog.Logger
	Random     func() float64 // in [0,1), spreads requests in time; nil stands for math/rand
}

// Check returns what is wrong with the settings, or nil. It does not tell the update URL.
func (u *Updater) Check() error {
	for name, text := range map[string]string{"update URL": u.UpdateURL.Reveal(), "address URL": u.AddressURL} {
		parsed, err := url.Parse(strings.ReplaceAll(text, Placeholder, "192.0.2.1"))
		switch {
		case err != nil || parsed.Scheme != "https" && parsed.Scheme != "http" || parsed.Host == "":
			return fmt.Errorf("the %s is no URL: write https://HOST/PATH", name)
		case parsed.Scheme == "http" && !isLoopback(parsed.Hostname()):
			return fmt.Errorf("the %s begins with http://, so that everybody on the way could read or change what it says: write https://", name)
		}
	}
	if u.Interval < 0 || u.Interval > 0 && u.Interval < time.Minute {
		return errors.New("the interval is below one minute")
	}
	return nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// Run keeps the name up to date until ctx ends. Failures are logged and tried again, less and
// less often.
func (u *Updater) Run(ctx context.Context) error {
	if err := u.Check(); err != nil {
		return fmt.Errorf("cannot keep the dynamic name up to date: %w", err)
	}
	interval, random := u.Interval, u.Random
	if interval == 0 {
		interval = DefaultInterval
	}
	if random == nil {
		random = rand.Float64
	}
	var current netip.Addr
	wait := backoff.Backoff{First: firstPause, Last: lastPause, Least: 0.75, Random: u.Random}
	for {
		pause := time.Duration((0.75 + random()/4) * float64(interval))
		address, err := u.step(ctx, current)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			pause = wait.Next()
			u.Log.Warn("cannot keep the dynamic name up to date, trying again", "error", err, "in", pause)
		default:
			if address != current {
				u.Log.Info("the dynamic name has a new address", "address", address)
			}
			current = address
			wait.Reset()
		}
		if backoff.Wait(ctx, pause, nil); ctx.Err() != nil {
			return nil
		}
	}
}

// step asks for the address, and calls the update URL unless it is current.
func (u *Updater) step(ctx context.Context, current netip.Addr) (netip.Addr, error) {
	text, err := u.get(ctx, u.AddressURL)
	if err != nil {
		return current, fmt.Errorf("cannot learn the public address from the address URL: %w", err)
	}
	address, err := netip.ParseAddr(strings.TrimSpace(text))
	if err != nil || address.Zone() != "" {
		return current, errors.New("the address URL answers with no IP address")
	}
	if address = address.Unmap(); address == current {
		return current, nil
	}
	answer, err := u.get(ctx, strings.ReplaceAll(u.UpdateURL.Reveal(), Placeholder, address.String()))
	if err != nil {
		return current, fmt.Errorf("cannot tell the provider the new address: %w", err)
	}
	if refused(answer) {
		// Not the answer itself: some providers repeat the request in it, secret and all.
		return current, errors.New("the provider refuses the new address: check name and secret in the update URL")
	}
	return address, nil
}

// refused says whether an answer with status 200 means no: DuckDNS answers "KO", freemyip
// "ERROR", and the dyndns2 protocol with one of the other words.
func refused(answer string) bool {
	words := strings.Fields(answer)
	if len(words) == 0 {
		return false
	}
	switch strings.ToLower(words[0]) {
	case "ko", "error", "badauth", "badagent", "notfqdn", "nohost", "numhost", "abuse", "dnserr", "911", "!donator", "!yours":
		return true
	}
	return false
}

// get returns the body of a successful answer. Its errors do not tell the URL.
func (u *Updater) get(ctx context.Context, address string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", errors.New("the URL cannot be used")
	}
	request.Header.Set("User-Agent", "pialert")
	client := http.Client{}
	if u.Client != nil {
		client = *u.Client
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(request)
	if err != nil {
		var withURL *url.Error
		if errors.As(err, &withURL) {
			err = withURL.Err
		}
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	switch {
	case response.StatusCode >= 300 && response.StatusCode < 400:
		return "", fmt.Errorf("%s answers with a redirect: write the URL that it leads to", request.URL.Hostname())
	case response.StatusCode != http.StatusOK:
		// Not the reason phrase, which is the provider's own words and may repeat the request.
		return "", fmt.Errorf("%s answers with status %d", request.URL.Hostname(), response.StatusCode)
	}
	return string(body), err
}
