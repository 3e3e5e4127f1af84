package main

import (
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// What the responder's unit may do is what its backends need. As packaged it may change the firewall,
// which is the default, and nothing else; other backends need a drop-in.

func unitCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "unit",
		Short: "Print what the responder's systemd unit must be allowed for the configured backends",
		Long: `unit prints a drop-in for pialert-responder.service. It allows what the backends of the configuration need
and takes away what they do not: to change the firewall only with nftables, to write hosts.deny only
with hosts_deny, and to speak to routers, and to no other address, only with routeros.`,
		Example: `  sudo mkdir -p /etc/systemd/system/pialert-responder.service.d
  pialert-agent responder unit | sudo tee /etc/systemd/system/pialert-responder.service.d/backends.conf
  sudo systemctl daemon-reload && sudo systemctl restart pialert-responder`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			cfg, err := s.Load()
			if err != nil {
				return err
			}
			return cfg.writeUnit(command.OutOrStdout())
		},
	}
}

// writeUnit prints the drop-in. Every list is emptied first, so that what is not needed goes.
func (c *Config) writeUnit(out io.Writer) error {
	var capabilities, paths, calls, addresses []string
	families := []string{"AF_UNIX"}
	if c.Responses.NFTables != nil {
		capabilities = append(capabilities, "CAP_NET_ADMIN")
		families = append(families, "AF_NETLINK")
	}
	if c.Responses.HostsDeny != nil {
		// The file is replaced by one of the same owner, in a folder that belongs to root.
		capabilities = append(capabilities, "CAP_DAC_OVERRIDE", "CAP_CHOWN")
		paths = append(paths, filepath.Dir(c.Responses.HostsDeny.path()))
		calls = append(calls, "@chown")
	}
	for _, router := range c.Responses.RouterOS {
		at, err := netip.ParseAddrPort(router.Address)
		if err != nil {
			return err // Validate refuses it
		}
		addresses = append(addresses, at.Addr().Unmap().String())
	}
	if len(addresses) > 0 {
		families = append(families, "AF_INET", "AF_INET6")
	}
	lines := []string{"# What the backends of the configuration need: pialert-agent responder unit", "[Service]"}
	set := func(key string, values []string) {
		lines = append(lines, key+"=")
		if len(values) > 0 {
			lines = append(lines, key+"="+strings.Join(values, " "))
		}
	}
	set("CapabilityBoundingSet", capabilities)
	set("AmbientCapabilities", capabilities)
	set("RestrictAddressFamilies", families)
	set("ReadWritePaths", paths)
	set("IPAddressAllow", addresses)
	if len(calls) > 0 {
		lines = append(lines, "SystemCallFilter="+strings.Join(calls, " "))
	}
	_, err := fmt.Fprintln(out, strings.Join(lines, "\n"))
	return err
}
