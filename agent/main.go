// Command pialert-agent sees attacks in this server's logs and tells its displays.
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
		Short: "Sees attacks in this server's logs and tells your displays",
		Long: `pialert-agent follows this server's logs, recognises attacks, and delivers each exactly
once to the displays that it is paired with.`,
		Example: `  sudo pialert-agent pair              pair with a display: prints the line to paste there
  pialert-agent status                 what is read, what was found, who listens
  pialert-agent fire ssh_login         let a lamp light
  pialert-agent scan /var/log/auth.log what happened last night
  pialert-agent explain 'LINE'         what a line of a log means, and why`,
	}
	s := cli.NewSettings(root, defaultConfig, defaults)
	root.AddCommand(
		runCommand(s), statusCommand(s), fireCommand(s), relayCommand(s), configCommand(s),
		scanCommand(s), explainCommand(s), rulesCommand(s), responderCommand(s), reportCommand(s), bansCommand(s), banCommand(s), unbanCommand(s), responsesCommand(s),
	)
	root.AddCommand(pairingCommands(s)...)
	return root
}
