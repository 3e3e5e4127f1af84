package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/display/internal/fleet"
	"github.com/pialert/pialert/pkg/broker"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/config"
	"github.com/pialert/pialert/pkg/pairing"
	"github.com/pialert/pialert/pkg/plural"
	"github.com/pialert/pialert/pkg/private"
)

func fleetInitCommand(s *settings) *cobra.Command {
	var servers []string
	var out, room string
	var sync bool
	place := fleet.Place{}
	command := &cobra.Command{
		Use:   "init --server tls://HOST:4222",
		Short: "Write the configuration of a NATS server, and this display's credentials there",
		Long: `init makes an authority of your own over a NATS server: keys that sign who may speak there, a
certificate authority, and for each server a folder with its configuration and certificate. The
folder is all that the server needs, now and when agents are added; the keys stay here. Run again, it
writes the same fleet's folders anew; what --max-bytes and --sync-always said holds until they say otherwise, and who
was revoked in the configuration that is there stays revoked.

Three servers make a cluster that goes on when one of them fails. Any nats-server from 2.9 on, as in
Debian 12, will do; --sync-always needs 2.10.`,
		Example: `  sudo pialert-display fleet init --server tls://nats.example.org:4222
  sudo pialert-display fleet init --server tls://n1.example.org:4222 --server tls://n2.example.org:4222 \
    --server tls://n3.example.org:4222 --max-bytes 10GiB`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			cfg, err := s.Load()
			if err != nil {
				return err
			}
			bytes, err := config.ParseSize(room)
			if err != nil {
				return &cli.UsageError{Err: err}
			}
			if bytes < 1<<20 {
				return &cli.UsageError{Err: fmt.Errorf("--max-bytes %s is too little for a stream: give at least 1MiB", room)}
			}
			wanted := fleet.Settings{Servers: servers, Stream: cfg.Link.NATS.Stream, MaxBytes: int64(bytes), SyncAlways: sync}
			given := command.Flags().Changed
			change := func(a *fleet.Authority) error {
				keep := a.Settings
				if given("max-bytes") {
					keep.MaxBytes = wanted.MaxBytes
				}
				if given("sync-always") {
					keep.SyncAlways = sync
				}
				return a.Change(keep.MaxBytes, keep.SyncAlways)
			}
			return fleetInit(command.ErrOrStderr(), cfg, wanted, change, place, out, s.Path())
		},
	}
	command.Flags().StringArrayVar(&servers, "server", nil, "a server's address as agents reach it, tls://HOST:4222; may be repeated for a cluster")
	command.Flags().StringVar(&out, "out", "nats", "write the servers' folders below this one")
	command.Flags().StringVar(&place.Folder, "folder", "/etc/nats", "where those files will be on the server")
	command.Flags().StringVar(&place.Store, "store", "/var/lib/nats", "where the server keeps the stream")
	command.Flags().StringVar(&room, "max-bytes", "1GiB", "most that the stream may hold on each server")
	command.Flags().BoolVar(&sync, "sync-always", false, "have the servers sync what they acknowledge, for link.nats.acknowledged: stored; needs nats-server 2.10")
	return command
}

func fleetInit(stderr io.Writer, cfg Config, wanted fleet.Settings, change func(*fleet.Authority) error, place fleet.Place, out, configPath string) error {
	keyring, err := pairing.Open(cfg.State, pairing.Display, cfg.Name)
	if err != nil {
		return withSudo(err)
	}
	authority, err := fleet.Open(fleetDir(cfg))
	switch {
	case errors.Is(err, fleet.ErrNone):
		if err := checkServers(wanted.Servers); err != nil {
			return err
		}
		authority, err = fleet.Begin(fleetDir(cfg), wanted, time.Now())
	case err == nil && len(wanted.Servers) > 0 && strings.Join(wanted.Servers, " ") != strings.Join(authority.Servers, " "):
		return cli.Hint(fmt.Errorf("this display has a fleet already, at %s", strings.Join(authority.Servers, ", ")),
			"run fleet init without --server to write its folders anew; to begin another one, move %s away", fleetDir(cfg))
	case err == nil:
		if err = change(authority); errors.Is(err, fleet.ErrLess) {
			return cli.Hint(fmt.Errorf("the servers keep %s: %w", config.Size(authority.MaxBytes), err),
				"have the stream alone hold less: link.nats.max_bytes in %s", configPath)
		}
	}
	if err != nil {
		return withSudo(err)
	}
	var folders []string
	for _, server := range authority.Servers {
		folder := out
		if len(authority.Servers) > 1 {
			folder = filepath.Join(out, fleet.Host(server))
		}
		folders = append(folders, folder)
		if former, err := os.ReadFile(filepath.Join(folder, fleet.ConfigurationFile)); err == nil {
			if err := authority.Adopt(former); err != nil {
				return withSudo(err)
			}
		}
	}
	for i, server := range authority.Servers {
		folder := folders[i]
		files, err := authority.Server(server, place, time.Now())
		if err != nil {
			return err
		}
		if err := os.MkdirAll(folder, 0o750); err != nil {
			return err
		}
		for _, file := range files {
			if err := os.WriteFile(filepath.Join(folder, file.Name), file.Data, fs.FileMode(file.Mode)); err != nil {
				return err
			}
		}
	}
	credentials, err := authority.Display(cfg.Name, keyring.Key())
	if err != nil {
		return withSudo(err)
	}
	if err := keyring.Begin(); err != nil {
		return withSudo(err)
	}
	own := private.Dir(fleetDir(cfg))
	ca := own.Path("ca.pem")
	if err := own.Write("ca.pem", authority.CA); err != nil {
		return withSudo(err)
	}
	fmt.Fprintf(stderr, "Written: %s\nEach server keeps at most %s, and syncs what it acknowledges %s.\n\n",
		strings.Join(folders, ", "), config.Size(authority.MaxBytes), map[bool]string{true: "at once", false: "every two minutes"}[authority.SyncAlways])
	fmt.Fprintf(stderr, "1. Copy the files to %[1]s on the server, let the user that runs nats-server read them and write\n"+
		"   %[2]s, and start it: nats-server -c %[1]s/nats-server.conf\n"+
		"   One that runs already is started anew.\n", place.Folder, place.Store)
	fmt.Fprintf(stderr, "2. Put this into %s, and restart pialert-display:\n\n", configPath)
	fmt.Fprint(stderr, linkText(broker.Config{Servers: authority.Servers, CA: ca, Credentials: credentials, Stream: authority.Stream}, len(authority.Servers), authority.MaxBytes))
	fmt.Fprintf(stderr, "\n3. Invite agents: sudo pialert-display fleet add NAME\n")
	return nil
}

// linkText is the part of a configuration that names a broker.
func linkText(c broker.Config, servers int, room int64) string {
	var text strings.Builder
	fmt.Fprintf(&text, "link:\n  dial: nats\n  nats:\n    servers: [%s]\n    ca: %s\n    credentials: %s\n    stream: %s\n",
		strings.Join(c.Servers, ", "), c.CA, c.Credentials, c.Stream)
	if servers >= 3 {
		text.WriteString("    replicas: 3\n")
	}
	if room != broker.DefaultRoom {
		fmt.Fprintf(&text, "    max_bytes: %s\n", config.Size(room))
	}
	return text.String()
}

func checkServers(servers []string) error {
	if len(servers) == 0 {
		return &cli.UsageError{Err: cli.Hint(errors.New("there is no server"), "name it as agents reach it: --server tls://nats.example.org:4222")}
	}
	if len(servers) == 2 {
		return &cli.UsageError{Err: errors.New("two servers make no cluster: name one, three or five")}
	}
	for _, server := range servers {
		if err := broker.CheckServer(server); err != nil {
			return &cli.UsageError{Err: fmt.Errorf("cannot use the server %q: %w", server, err)}
		}
	}
	return nil
}

func fleetRemoveCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME",
		Short: "Revoke the broker credentials of a server that is gone, or that somebody else has",
		Long: `remove revokes every credential that fleet add made for a name, and withdraws its invitations. The servers
refuse them as soon as they have read their configuration anew, as it says. unpair is what shuts an agent
out of what is counted, at once and without the servers.`,
		Example: "  sudo pialert-display fleet remove web1",
		Args:    cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			cfg, err := s.Load()
			if err != nil {
				return err
			}
			return fleetRemove(command.OutOrStdout(), cfg, args[0], s.Path())
		},
	}
}

func fleetRemove(stdout io.Writer, cfg Config, name, configPath string) error {
	authority, err := fleet.Open(fleetDir(cfg))
	if errors.Is(err, fleet.ErrNone) {
		return cli.Hint(err, "sudo pialert-display fleet init --server tls://nats.example.org:4222")
	}
	if err != nil {
		return withSudo(err)
	}
	n, err := authority.Remove(name, time.Now())
	if err != nil {
		return withSudo(err)
	}
	fmt.Fprintf(stdout, "revoked %s of %s; for the servers to refuse them:\n\n", plural.Count(n, "credential"), name)
	fmt.Fprintf(stdout, "1. Write their folders anew, with the flags that you gave: sudo pialert-display fleet init --config %s\n", configPath)
	fmt.Fprint(stdout, "2. Copy nats-server.conf to each server, and have it read there: nats-server --signal reload\n")
	if keyring, err := pairing.Open(cfg.State, pairing.Display, cfg.Name); err == nil {
		if _, err := keyring.Peer(name); err == nil {
			fmt.Fprintf(stdout, "3. It is paired still: sudo pialert-display unpair %s\n", name)
		}
	}
	return nil
}

func withSudo(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return cli.Hint(err, "the state directory belongs to the service: run the command with sudo")
	}
	return err
}
