package link

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Who opens connections, as configurations say it.
const (
	DialDisplay = "display" // the agent listens
	DialAgent   = "agent"   // the display listens
	DialSSH     = "ssh"     // the display logs in by SSH, and the agent listens on a Unix socket
)

const (
	sshTimeout = 30 * time.Second // for ssh to log in and the handshake through it
	sshScheme  = "ssh://"
)

// AddressError says at which address a peer could not be reached, and why.
type AddressError struct {
	Address string
	Err     error
}

// Error names the address, unless the cause does.
func (e *AddressError) Error() string {
	if text := e.Err.Error(); strings.Contains(text, e.Address) {
		return text
	}
	return e.Address + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *AddressError) Unwrap() error { return e.Err }

// CheckAddress returns an error that says what is wrong with the address of a peer, or nil.
// Addresses are HOST:PORT or ssh://[USER@]HOST[:PORT].
func CheckAddress(address string) error {
	if strings.HasPrefix(address, sshScheme) {
		_, err := parseSSH(address)
		return err
	}
	host, port, err := net.SplitHostPort(address)
	if err == nil {
		if n, bad := strconv.ParseUint(port, 10, 16); bad != nil || n == 0 {
			err = fmt.Errorf("%q is no port", port)
		} else if host == "" || !isHost(host) {
			err = fmt.Errorf("%q is no host", host)
		}
	}
	if err != nil {
		return fmt.Errorf("cannot use the address %q: %w: write HOST:PORT or ssh://USER@HOST", address, err)
	}
	return nil
}

// isHost says whether text is an IP address or can be a name.
func isHost(text string) bool {
	if _, err := netip.ParseAddr(text); err == nil {
		return true
	}
	return !strings.ContainsFunc(text, func(c rune) bool {
		return c != '.' && c != '-' && c != '_' && !unicode.IsLetter(c) && !unicode.IsDigit(c)
	})
}

// WithPort completes an address that has no port with one. What names a scheme stays as it is.
func WithPort(address, port string) string {
	if strings.Contains(address, "://") {
		return address
	}
	if _, _, err := net.SplitHostPort(address); err == nil {
		return address
	}
	return net.JoinHostPort(strings.Trim(address, "[]"), port)
}

// sshTarget is where ssh logs in.
type sshTarget struct{ user, host, port string }

func parseSSH(address string) (sshTarget, error) {
	u, err := url.Parse(address)
	if err != nil {
		return sshTarget{}, fmt.Errorf("cannot use the address %q: %w", address, err)
	}
	target := sshTarget{user: u.User.Username(), host: u.Hostname(), port: u.Port()}
	_, password := u.User.Password()
	switch {
	case target.host == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "":
		err = errors.New("write ssh://USER@HOST or ssh://USER@HOST:PORT")
	case password:
		err = errors.New("ssh takes no password from here: use a key")
	case strings.HasPrefix(target.host, "-") || strings.HasPrefix(target.user, "-"):
		err = errors.New("a name that begins with a dash is an option to ssh")
	}
	if err != nil {
		return sshTarget{}, fmt.Errorf("cannot use the address: %w", err)
	}
	return target, nil
}

// timeoutFor bounds the handshake through an address.
func timeoutFor(address string) time.Duration {
	if strings.HasPrefix(address, sshScheme) {
		return sshTimeout
	}
	return handshakeTimeout
}
