//go:build docs

package cli

import (
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// addDocs adds the command that writes man pages. It is only in the build that makes packages:
// what it needs would make the program on a Pi larger for nothing.
func addDocs(root *cobra.Command) {
	root.AddCommand(&cobra.Command{
		Use:    "man FOLDER",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			root.DisableAutoGenTag = true
			// Pages without a date are the same whenever they are made.
			undated := time.Time{}
			header := &doc.GenManHeader{Section: "1", Source: "PiAlert", Manual: "PiAlert", Date: &undated}
			return doc.GenManTree(root, header, args[0])
		},
	})
}
