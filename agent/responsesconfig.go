package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/pialert/pialert/agent/internal/enforce"
	"github.com/pialert/pialert/agent/internal/exempt"
	"github.com/pialert/pialert/agent/internal/ignore"
	"github.com/pialert/pialert/agent/internal/policy"
	"github.com/pialert/pialert/agent/internal/value"
	"github.com/pialert/pialert/pkg/config"
)

// Responses says who is banned, and how.
type Responses struct {
	// Mode is off, observe (decide, and say what would be done) or enforce (do it).
	Mode string `yaml:"mode"`
	// Socket is the Unix socket of pialert-agent responder, which carries decisions out.
	Socket string `yaml:"socket"`
	// State is the folder in which the responder keeps what was decided.
	State string `yaml:"state"`
	// Ban is how many attempts are too many, and how long a ban lasts.
	Ban policy.Ban `yaml:"ban"`
	// Kinds is what holds for some kinds instead.
	Kinds map[string]policy.Kind `yaml:"kinds"`
	// Network is how many banned neighbours ban their whole network.
	Network policy.Network `yaml:"network"`
	// Allow lists who is never banned: addresses, networks, names, which are looked up every minute, and files with one of
	// these on each line, such as the ranges of a CDN.
	Allow []string `yaml:"allow"`
	// Include lists private or other special networks from which attackers can come nevertheless.
	Include []string `yaml:"include"`
	// NFTables is the kernel's firewall as a means; nothing leaves it alone.
	NFTables *NFTables `yaml:"nftables"`
	// HostsDeny is the file that sshd reads where it is linked to libwrap; nothing leaves it alone.
	HostsDeny *HostsDeny `yaml:"hosts_deny"`
	// RouterOS lists MikroTik routers that hold bans in their address lists.
	RouterOS []RouterOS `yaml:"routeros"`
}

// NFTables says what the firewall drops.
type NFTables struct {
	// Forward drops also what is forwarded, such as to the published ports of containers.
	Forward bool `yaml:"forward"`
}

// HostsDeny says which file denies hosts.
type HostsDeny struct {
	// File is /etc/hosts.deny, unless another one is given.
	File string `yaml:"file"`
}

func (h *HostsDeny) path() string {
	if h == nil || h.File == "" {
		return defaultHostsDeny
	}
	return h.File
}

// RouterOS says which router, and which list.
type RouterOS struct {
	// Address is that of the router's service api-ssl, such as 192.0.2.1:8729.
	Address string `yaml:"address"`
	// User is one of the router's, in a group with the policies api, read and write.
	User string `yaml:"user"`
	// PasswordFile is the path of a file with the user's password, which only its owner and group may read.
	PasswordFile string `yaml:"password_file"`
	// Certificate is the router's: sha256: and the hexadecimal digits of its fingerprint.
	Certificate string `yaml:"certificate"`
	// List is the name of the address lists; nothing is pialert.
	List string `yaml:"list"`
}

// defaultHostsDeny is where libwrap looks.
const defaultHostsDeny = "/etc/hosts.deny"

func defaultResponses() Responses {
	rules := policy.Defaults()
	return Responses{
		Mode: enforce.Observe, Socket: "/run/pialert-responder/responder.sock", State: "/var/lib/pialert/responder",
		Ban: rules.Ban, Kinds: rules.Kinds, Network: rules.Network, NFTables: &NFTables{},
	}
}

func (r *Responses) rules() policy.Config {
	return policy.Config{Ban: r.Ban, Kinds: r.Kinds, Network: r.Network}
}

// validate returns every mistake.
func (r *Responses) validate() error {
	var problems []error
	refuse := func(path string, value any, problem string) {
		problems = append(problems, &config.FieldError{Path: "responses." + path, Value: value, Problem: problem})
	}
	if r.Mode != enforce.Off && r.Mode != enforce.Observe && r.Mode != enforce.Enforce {
		refuse("mode", r.Mode, "use off, observe or enforce")
	}
	if r.Socket == "" || r.State == "" {
		refuse("socket", r.Socket, "give a path; and one to state")
	}
	if r.HostsDeny != nil && r.HostsDeny.File != "" && !filepath.IsAbs(r.HostsDeny.File) {
		refuse("hosts_deny.file", r.HostsDeny.File, "give the whole path, as a rule /etc/hosts.deny")
	}
	for i, one := range r.RouterOS {
		field := func(name string) string { return fmt.Sprintf("routeros[%d].%s", i, name) }
		if _, err := netip.ParseAddrPort(one.Address); err != nil {
			refuse(field("address"), one.Address, "give an address and a port, such as 192.0.2.1:8729")
		}
		if slices.ContainsFunc(r.RouterOS[:i], func(other RouterOS) bool { return other.Address == one.Address }) {
			refuse(field("address"), one.Address, "each router stands here once")
		}
		if one.User == "" {
			refuse(field("user"), one.User, "give the router's user")
		}
		if !filepath.IsAbs(one.PasswordFile) {
			refuse(field("password_file"), one.PasswordFile, "give the whole path of a file with the password")
		}
		if _, err := one.fingerprint(); err != nil {
			refuse(field("certificate"), one.Certificate, err.Error())
		}
	}
	rules := r.rules()
	for _, problem := range rules.Validate() {
		var field *config.FieldError
		if errors.As(problem, &field) {
			refuse(field.Path, field.Value, field.Problem)
		}
	}
	for i, entry := range r.Allow {
		if err := ignore.Check(entry); err != nil {
			refuse(fmt.Sprintf("allow[%d]", i), entry, err.Error())
		}
	}
	_, err := networks("responses.include", r.Include)
	return errors.Join(append(problems, err)...)
}

// networks parses a list of addresses and networks; the error names each that is none.
func networks(path string, list []string) ([]netip.Prefix, error) {
	var prefixes []netip.Prefix
	var problems []error
	for i, text := range list {
		prefix, ok := value.Network(text)
		if !ok {
			problems = append(problems, &config.FieldError{
				Path: fmt.Sprintf("%s[%d]", path, i), Value: text, Problem: "give an address or a network such as 192.0.2.0/24",
			})
			continue
		}
		prefixes = append(prefixes, prefix)
	}
	return prefixes, errors.Join(problems...)
}

// lookup finds a name's addresses; nil means as the system does.
type lookup = func(ctx context.Context, name string) ([]netip.Addr, error)

// allowed returns who is never banned, as far as that could be found out at once.
func (r *Responses) allowed(find lookup, logger *slog.Logger) (*ignore.List, error) {
	list, err := ignore.New(ignore.Options{Entries: r.Allow, Lookup: find, Logger: logger})
	if err != nil {
		return nil, fmt.Errorf("responses.allow: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	list.Refresh(ctx)
	return list, nil
}

// exempt returns who is never banned on this machine: those whom the list allows, and others. Displays are
// where peers says.
func (r *Responses) exempt(allowed *ignore.List, peers func() []netip.Addr) (*exempt.List, error) {
	include, err := networks("responses.include", r.Include)
	if err != nil {
		return nil, err
	}
	return exempt.New(exempt.Options{
		Allow: allowed.Networks, Include: include, Root: os.DirFS("/"), Own: net.InterfaceAddrs, Peers: peers, Now: time.Now,
	}), nil
}

// noPeers is where displays are as far as a process knows that has no link to them.
func noPeers() []netip.Addr { return nil }

// lookupTimeout is how long a start may wait for name servers.
const lookupTimeout = 2 * time.Second
