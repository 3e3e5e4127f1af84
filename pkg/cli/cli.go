// Package cli holds what the two command lines have in common: how a command is run and ended,
// how errors are printed, and the version.
//
// It prints an error once, as "error: …" and, where the error knows one, "hint: …". The exit
// code is 0 for success, 1 for a failure and 2 for a command that was called wrongly. The first
// SIGINT or SIGTERM ends the command's context, a second one the process.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/pkg/escape"
)

// Exit codes.
const (
	exitFailure = 1
	exitUsage   = 2
)

// Version is set by the linker (-X) to the release; a plain build says "devel".
var Version = "devel"

// Main runs the command line and returns the process's exit code.
func Main(root *cobra.Command) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	// After the first signal the default action is back: a second one kills.
	context.AfterFunc(ctx, stop)
	Prepare(root)
	return report(root.ErrOrStderr(), root.ExecuteContext(ctx))
}

// Prepare gives a root command what both programs have: the version command, quiet errors and
// usage errors that are told apart.
func Prepare(root *cobra.Command) {
	root.SilenceErrors, root.SilenceUsage = true, true
	root.AddCommand(versionCommand(root.Name()))
	root.Version = Release()
	root.SetVersionTemplate(versionLine(root.Name()))
	addDocs(root)
	root.SetFlagErrorFunc(flagError)
	markArgs(root)
}

func report(stderr io.Writer, err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, "error:", escape.Lines(err.Error()))
	var h *hinted
	if errors.As(err, &h) {
		fmt.Fprintln(stderr, "hint:", escape.Lines(h.hint))
	}
	var usage *UsageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailure
}

// versionLine is what version and --version print.
func versionLine(program string) string {
	return fmt.Sprintf("%s %s (%s, %s/%s)\n", program, Release(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// Built is what the version command prints as JSON.
type Built struct {
	Program string `json:"program"`
	Version string `json:"version"`
	Go      string `json:"go"`
	System  string `json:"system"` // as linux/arm64
}

func versionCommand(program string) *cobra.Command {
	var format string
	command := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if format == "json" {
				return WriteJSON(command.OutOrStdout(), Built{program, Release(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH})
			}
			_, err := io.WriteString(command.OutOrStdout(), versionLine(program))
			return err
		},
	}
	FormatFlag(command, &format)
	return command
}

// Release is [Version], or what Go's build recorded of the module for a build without it.
func Release() string {
	if Version != "devel" {
		return Version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return Version
}
