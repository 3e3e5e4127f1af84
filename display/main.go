// Command pialert-display shows the attacks on paired servers as light.
//
// This package is the command line and the wiring: which stage hands what to which, and in which
// order they stop. The stages themselves are under internal/ and know nothing of each other.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/pkg/cli"
)

func main() { os.Exit(cli.Main(rootCommand())) }

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   program,
		Short: "Shows attacks on your servers as light",
		Long: `pialert-display receives the attacks on the servers that it is paired with, sweeps coloured
light over a Blinkt! and counts on a TM1637, or draws both in a terminal.`,
		Example: `  pialert-display demo --driver terminal   see it work, without any server
  sudo pialert-display join TOKEN          pair with a server; the token is from pialert-agent pair
  pialert-display status                   totals, and when each server was last heard
  pialert-display run --driver terminal    draw in this terminal`,
	}
	s := cli.NewSettings(root, defaultConfig, defaults)
	root.AddCommand(
		runCommand(s), statusCommand(s), demoCommand(s), showCommand(s), lampsCommand(s), lightsCommand(s), poweroffCommand(s),
		configCommand(s), noticesCommand(s), webCommand(s),
		eventsCommand(s), topCommand(s), todayCommand(s), watchCommand(s), correctCommand(s),
		backupCommand(s), restoreCommand(s), exportCommand(s), fleetCommand(s),
	)
	root.AddCommand(withForget(s, pairingCommands(s))...)
	return root
}
