//go:build !docs

package cli

import "github.com/spf13/cobra"

// addDocs adds nothing to the programs that people install.
func addDocs(*cobra.Command) {}
