package daemon

import (
	"context"
	"fmt"
	"io"
	"net/netip"

	"github.com/pialert/pialert/pkg/attack"
)

// curl sends one request for a target of the machine's web server, exactly as it is written.
func (m *Machine) curl(ctx context.Context, from netip.Addr, target string, options ...string) error {
	host := serverFor(from).String()
	if from.Is6() {
		host = "[" + host + "]"
	}
	args := append([]string{"--silent", "--show-error", "--output", "/dev/null", "--max-time", "20",
		"--globoff", "--path-as-is", "--noproxy", "", "--interface", from.String()}, options...)
	cmd := m.Command(ctx, "/usr/bin/curl", append(args, "http://"+host+target)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot request %q: %w: %s", target, err, out)
	}
	return nil
}

// Get requests a target, with any options of curl, which is what the caller says it is; kind 0
// says that it is no attack.
func (m *Machine) Get(ctx context.Context, from netip.Addr, kind attack.Kind, target string, options ...string) ([]Attempt, error) {
	err := m.curl(ctx, from, target, options...)
	if kind == 0 {
		return nil, err
	}
	return one(kind, from, "", 1), err
}

// WordPressLogin posts WordPress' login form with a wrong password.
func (m *Machine) WordPressLogin(ctx context.Context, from netip.Addr) ([]Attempt, error) {
	return m.Get(ctx, from, attack.WordPressLogin, "/wp-login.php", "--data", "log=admin&pwd=123456")
}

// WordPressWelcome posts the form with the right password. It is no attack.
func (m *Machine) WordPressWelcome(ctx context.Context, from netip.Addr) ([]Attempt, error) {
	return m.Get(ctx, from, 0, "/wp-login.php", "--data", "log=admin&pwd=correct+horse")
}

// XMLRPC calls WordPress' xmlrpc.php.
func (m *Machine) XMLRPC(ctx context.Context, from netip.Addr) ([]Attempt, error) {
	return m.Get(ctx, from, attack.XMLRPC, "/xmlrpc.php", "--data",
		"<methodCall><methodName>wp.getUsersBlogs</methodName></methodCall>")
}

// BasicAuth asks for /private/ with a wrong password. The referer is the attacker's, and Apache
// writes it at the end of its error line.
func (m *Machine) BasicAuth(ctx context.Context, from netip.Addr, user, referer string) ([]Attempt, error) {
	err := m.curl(ctx, from, "/private/", "--user", user+":123456", "--referer", referer)
	return one(attack.HTTPAuth, from, user, 1), err
}

// TLS speaks TLS to the port where plain HTTP is spoken.
func (m *Machine) TLS(ctx context.Context, from netip.Addr) ([]Attempt, error) {
	// The first bytes of a ClientHello as browsers send it (RFC 8446, sections 4.1.2 and 5.1).
	return m.Raw(ctx, from, attack.HTTPMalformed, "\x16\x03\x01\x00\xee\x01\x00\x00\xea\x03\x03\"\\\xff\r\n")
}

// Raw sends any bytes where a request belongs, which is what the caller says it is.
func (m *Machine) Raw(ctx context.Context, from netip.Addr, kind attack.Kind, request string) ([]Attempt, error) {
	conn, err := m.Dial(ctx, from, 80)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		return nil, fmt.Errorf("cannot send a request: %w", err)
	}
	// Apache logs a request after it has answered: the end of the answer comes late enough.
	if _, err := io.Copy(io.Discard, conn); err != nil {
		return nil, fmt.Errorf("no answer to %q: %w", request, err)
	}
	return one(kind, from, "", 1), nil
}
