package broker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/pialert/pialert/pkg/pairing"
)

const (
	connectTimeout = 10 * time.Second
	// reconnectWait is between two tries of the same server; each adds up to as much at random, so that
	// a fleet does not come back at once.
	reconnectWait   = 2 * time.Second
	reconnectJitter = 3 * time.Second
	// pingInterval is how soon a connection is noticed that died without a word: after two of them.
	pingInterval = 20 * time.Second
	complainEach = time.Minute
)

// Conn is a machine's connection to the broker. It comes back by itself after a cut.
type Conn struct {
	*nats.Conn
	ID     ID
	config Config
	faults faults
}

// Credentials are what the servers know a machine by.
type Credentials struct{ JWT, Seed []byte }

// ReadCredentials reads a .creds file.
func ReadCredentials(file string) (Credentials, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return Credentials{}, err
	}
	return ParseCredentials(text, file)
}

// ParseCredentials reads the content of a .creds file; name is for errors.
func ParseCredentials(text []byte, name string) (Credentials, error) {
	jwt, err := nkeys.ParseDecoratedJWT(text)
	if err != nil {
		return Credentials{}, fmt.Errorf("cannot use %s: it holds no JWT: %w", name, err)
	}
	key, err := nkeys.ParseDecoratedUserNKey(text)
	if err != nil {
		return Credentials{}, fmt.Errorf("cannot use %s: it holds no user's key: %w", name, err)
	}
	seed, err := key.Seed()
	return Credentials{[]byte(jwt), seed}, err
}

// ID returns what subjects call the holder of credentials.
func (c Credentials) ID() (ID, error) {
	key, err := nkeys.FromSeed(c.Seed)
	if err != nil {
		return "", err
	}
	public, err := key.PublicKey()
	return ID(public), err
}

// File returns the credentials as a .creds file.
func (c Credentials) File() ([]byte, error) {
	if _, err := c.ID(); err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "-----BEGIN NATS USER JWT-----\n%s\n------END NATS USER JWT------\n\n"+
		"-----BEGIN USER NKEY SEED-----\n%s\n------END USER NKEY SEED------\n", c.JWT, c.Seed), nil
}

// Options are what a connection needs besides its configuration.
type Options struct {
	Keyring *pairing.Keyring
	Log     *slog.Logger
	// Credentials stand for those of the configuration's file, if they are given.
	Credentials *Credentials
	// CA stands for the configuration's file, if it is given: a certificate in PEM.
	CA []byte
	// Changed is called when the connection came or went; it must not wait.
	Changed func()
}

// Connect begins to connect, and goes on trying in the background until the connection is closed.
// The error is about files that cannot be used.
func Connect(c Config, o Options) (*Conn, error) {
	if err := c.readable(); err != nil {
		return nil, fmt.Errorf("cannot connect to the broker: %w", err)
	}
	conn := &Conn{config: c}
	conn.faults.log = o.Log
	note := func(err error) { conn.faults.note(c.explain(err)) }
	options := []nats.Option{
		nats.Name("pialert-" + o.Keyring.Role().String()),
		nats.Timeout(connectTimeout), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1),
		nats.IgnoreAuthErrorAbort(), // who is refused twice would never come back: the owner may fix it
		nats.ReconnectWait(reconnectWait), nats.ReconnectJitter(reconnectJitter, reconnectJitter),
		nats.ReconnectBufSize(-1), // what cannot be sent now is sent anew: the spool has it
		nats.PingInterval(pingInterval), nats.MaxPingsOutstanding(2),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { note(err) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				note(err)
			}
			o.changed()
		}),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				note(err)
			}
		}),
		nats.ConnectHandler(func(*nats.Conn) { conn.faults.clear(); o.changed() }),
		nats.ReconnectHandler(func(*nats.Conn) { conn.faults.clear(); o.changed() }),
		nats.ClosedHandler(func(*nats.Conn) { o.changed() }),
	}
	switch known, err := c.credentials(o); {
	case err != nil:
		return nil, err
	case known == nil: // a broker that lets everybody in
		conn.ID = DisplayID(o.Keyring.Key())
	default:
		if conn.ID, err = known.ID(); err != nil {
			return nil, err
		}
		options = append(options, nats.UserJWT(c.newestJWT(o, known, conn.ID), known.sign))
	}
	if o.Keyring.Role() == pairing.Display {
		conn.ID = DisplayID(o.Keyring.Key())
	}
	options = append(options, nats.CustomInboxPrefix(Inbox(conn.ID)))
	if o.CA != nil || c.CA != "" {
		if _, err := c.roots(o.CA); err != nil {
			return nil, err
		}
		options = append(options, nats.Secure(&tls.Config{MinVersion: tls.VersionTLS13}), func(with *nats.Options) error {
			with.RootCAsCB = func() (*x509.CertPool, error) { return c.roots(o.CA) }
			return nil
		})
	}
	var err error
	conn.Conn, err = nats.Connect(joined(c.Servers), options...)
	if err != nil {
		return nil, fmt.Errorf("cannot connect to the broker: %w", err)
	}
	return conn, nil
}

// credentials returns those that are given, or the file's; nil if there are none.
func (c Config) credentials(o Options) (*Credentials, error) {
	if o.Credentials != nil || c.Credentials == "" {
		return o.Credentials, nil
	}
	read, err := ReadCredentials(c.Credentials)
	return &read, err
}

// newestJWT reads a file of credentials at each try: what is made anew for the same key counts without a restart.
func (c Config) newestJWT(o Options, known *Credentials, id ID) func() (string, error) {
	return func() (string, error) {
		if read, err := c.credentials(o); err == nil {
			if now, err := read.ID(); err == nil && now == id {
				return string(read.JWT), nil
			}
		}
		return string(known.JWT), nil
	}
}

// sign proves to a server who this machine is.
func (c Credentials) sign(nonce []byte) ([]byte, error) {
	key, err := nkeys.FromSeed(c.Seed)
	if err != nil {
		return nil, err
	}
	return key.Sign(nonce)
}

// roots returns the certificates that servers' are signed by: the one that is given, or those of the file.
func (c Config) roots(given []byte) (*x509.CertPool, error) {
	if given == nil {
		pem, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, err
		}
		given = pem
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(given) {
		return nil, fmt.Errorf("cannot use %s: it holds no certificate in PEM form", c.CA)
	}
	return pool, nil
}

// Inbox is where answers to a machine's requests go; no other machine may listen there.
func Inbox(id ID) string { return "_INBOX." + string(id) }

func joined(servers []string) (list string) {
	for i, server := range servers {
		if i > 0 {
			list += ","
		}
		list += server
	}
	return list
}

func (o *Options) changed() {
	if o.Changed != nil {
		o.Changed()
	}
}

// Await returns when the connection is up, or ctx ends; the error says why it was not.
func (c *Conn) Await(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !c.IsConnected() {
		if c.IsClosed() {
			return errors.Join(nats.ErrConnectionClosed, c.Fault())
		}
		select {
		case <-tick.C:
			c.look()
		case <-ctx.Done():
			if fault := c.Fault(); fault != nil {
				return fault
			}
			return fmt.Errorf("no answer from %s: %w", joined(c.config.Servers), context.Cause(ctx))
		}
	}
	return nil
}

// explain says what an owner can do about trouble that does not pass by itself.
func (c Config) explain(err error) error {
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.As(err, &untrusted) && c.CA != "":
		return fmt.Errorf("%w; link.nats.ca (%s) has to be the ca.pem that fleet init wrote for this server", err, c.CA)
	case errors.As(err, &untrusted):
		return fmt.Errorf("%w; name the certificate that signs the server's in link.nats.ca", err)
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthRevoked), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAccountAuthExpired):
		return fmt.Errorf("%w; the server refuses the credentials in %s: they were revoked, are out of date, or are of another fleet; on the display that began the fleet, "+
			"fleet add makes new ones for an agent, fleet init for itself", err, c.Credentials)
	}
	return err
}

// Fault returns the newest trouble with the connection, or nil once it is up again.
func (c *Conn) Fault() error {
	c.look()
	c.faults.mu.Lock()
	defer c.faults.mu.Unlock()
	return c.faults.last
}

// look notes why the last try to come back failed, which no handler is told.
func (c *Conn) look() {
	if err := c.LastError(); err != nil && !c.IsConnected() {
		c.faults.note(c.config.explain(err))
	}
}

// faults keeps and logs what goes wrong, what is the same at a limited rate. A forbidden publish shows here
// only, the publisher just gets no answer.
type faults struct {
	log *slog.Logger

	mu     sync.Mutex
	last   error
	logged time.Time
}

func (f *faults) note(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	same := f.last != nil && f.last.Error() == err.Error() && time.Since(f.logged) < complainEach
	f.last = err
	if !same && f.log != nil {
		f.logged = time.Now()
		f.log.Warn("trouble with the broker", "error", err)
	}
}

func (f *faults) clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = nil
}
