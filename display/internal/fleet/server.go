package fleet

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/pialert/pialert/pkg/broker"
)

// clusterPort is where the servers of a cluster reach each other.
const clusterPort = "6222"

// ConfigurationFile is the name of a server's configuration in its folder.
const ConfigurationFile = "nats-server.conf"

// ServerFile is a file for the folder of a server.
type ServerFile struct {
	Name string
	Data []byte
	Mode uint32
}

// Host returns the host of a server's address.
func Host(server string) string {
	u, err := url.Parse(server)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// Place is where a server has its files.
type Place struct{ Folder, Store string }

// Server returns what the folder of one of the fleet's servers holds: its configuration, and its
// certificate.
func (a *Authority) Server(address string, place Place, now time.Time) ([]ServerFile, error) {
	host := Host(address)
	certificate, key, err := serverCertificate(a.CA, a.keys.CA, host, now)
	if err != nil {
		return nil, err
	}
	text, err := a.configuration(address, place)
	return []ServerFile{
		{ConfigurationFile, []byte(text), 0o640}, {"ca.pem", a.CA, 0o644}, {"server.pem", certificate, 0o644}, {"server.key", key, 0o640},
	}, err
}

// configuration returns the configuration of a server.
func (a *Authority) configuration(address string, place Place) (string, error) {
	operator, system, tokens, err := a.accounts()
	if err != nil {
		return "", err
	}
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	port := u.Port()
	if port == "" {
		port = "4222"
	}
	var text strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) }
	say("# nats-server for a fleet of PiAlert, made by pialert-display fleet init.")
	say("# Agents and displays bring their permissions along, signed: nothing here changes when one is added.")
	say("server_name: %q", u.Host)
	say("listen: %q", net.JoinHostPort("0.0.0.0", port))
	say("max_payload: %d", broker.MaxMessage)
	say("max_connections: %d", maxConnections)
	certificate := fmt.Sprintf("cert_file: %q\n  key_file: %q\n  ca_file: %q\n  timeout: 10",
		path.Join(place.Folder, "server.pem"), path.Join(place.Folder, "server.key"), path.Join(place.Folder, "ca.pem"))
	say("tls {\n  %s\n}", certificate)
	say("# How much disk JetStream may use; when the stream is full, events stay with the agents.")
	say("jetstream {\n  store_dir: %q\n  max_mem: 64MB\n  max_file: %d%s\n}", place.Store, a.MaxBytes, a.sync())
	if len(a.Servers) > 1 {
		say("cluster {\n  name: pialert\n  listen: \"0.0.0.0:%s\"", clusterPort)
		say("  tls {\n  %s\n  verify: true\n  }", certificate)
		say("  routes: [")
		for _, server := range a.Servers {
			say("    \"tls://%s\"", net.JoinHostPort(Host(server), clusterPort))
		}
		say("  ]\n}")
	}
	say("# The owner's authority: the operator signs the account, the account its agents and displays.")
	say("operator: %s", operator)
	say("system_account: %s", system)
	say("resolver: MEMORY\nresolver_preload {")
	for _, account := range slices.Sorted(maps.Keys(tokens)) {
		say("  %s: %s", account, tokens[account])
	}
	say("}")
	return text.String(), nil
}

func (a *Authority) sync() string {
	if !a.SyncAlways {
		return ""
	}
	return "\n  # What is acknowledged is on the disk: link.nats.acknowledged: stored counts on it.\n  sync_interval: always"
}
