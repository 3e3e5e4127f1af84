package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

func program() *cobra.Command {
	root := &cobra.Command{Use: "pialert-test"}
	root.AddCommand(
		&cobra.Command{Use: "fail", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
			return fmt.Errorf("cannot start: %w", Hint(errors.New("port 7483 is taken"), "stop the other program"))
		}},
		&cobra.Command{Use: "work", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error { return nil }},
		func() *cobra.Command {
			group := &cobra.Command{Use: "rules"}
			group.AddCommand(&cobra.Command{Use: "list", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error { return nil }})
			return group
		}(),
	)
	return root
}

func TestExitCodes(t *testing.T) {
	tests := []struct {
		args string
		code int
		want string // on standard error
	}{
		{"work", 0, ""},
		{"version", 0, ""},
		{"fail", 1, "error: cannot start: port 7483 is taken\nhint: stop the other program\n"},
		{"work now", 2, "hint: see pialert-test work --help\n"},
		{"work --fast", 2, "error: unknown flag: --fast\n"},
		{"dance", 2, `error: pialert-test has no command "dance"`},
		{"rules lsit", 2, `error: pialert-test rules has no command "lsit"`},
	}
	for _, test := range tests {
		t.Run(test.args, func(t *testing.T) {
			root := program()
			var stdout, stderr bytes.Buffer
			root.SetArgs(strings.Fields(test.args))
			root.SetOut(&stdout)
			root.SetErr(&stderr)
			Prepare(root)
			code := report(&stderr, root.ExecuteContext(t.Context()))
			if code != test.code || !strings.Contains(stderr.String(), test.want) {
				t.Errorf("code %d, want %d; standard error:\n%s", code, test.code, stderr.String())
			}
		})
	}
}

func TestVersionNamesTheProgram(t *testing.T) {
	root := program()
	var stdout bytes.Buffer
	root.SetOut(&stdout)
	root.SetArgs([]string{"version"})
	Prepare(root)
	if err := root.Execute(); err != nil || !strings.HasPrefix(stdout.String(), "pialert-test ") {
		t.Errorf("%q, error %v", stdout.String(), err)
	}
}

func TestLogFormats(t *testing.T) {
	for format, want := range map[string]string{"json": `"msg":"ready"`, "text": "msg=ready"} {
		var out bytes.Buffer
		logger, err := Log{Format: format}.Logger(&out)
		if err != nil {
			t.Fatal(err)
		}
		logger.Info("ready")
		logger.Debug("details")
		if !strings.Contains(out.String(), want) || strings.Contains(out.String(), "details") {
			t.Errorf("%s: %s", format, out.String())
		}
	}
	if _, err := (Log{Format: "xml"}).Logger(nil); err == nil {
		t.Error("xml was accepted")
	}
}

func TestStatusCommand(t *testing.T) {
	type status struct {
		Lines int    `json:"lines"`
		Log   string `json:"log"`
	}
	ask := func(context.Context) (status, error) { return status{3, "a\u009b2J\u202e\x7f"}, nil }
	write := func(s status, out io.Writer, _ time.Time) error {
		_, err := fmt.Fprintf(out, "%d lines\n", s.Lines)
		return err
	}
	for _, test := range []struct{ args, want string }{
		{"", "3 lines\n"},
		{"--format json", "{\n  \"lines\": 3,\n  \"log\": \"a\\u009b2J\\u202e\\u007f\"\n}\n"},
	} {
		command := StatusCommand("", "", ask, write)
		var out bytes.Buffer
		command.SetOut(&out)
		command.SetArgs(strings.Fields(test.args))
		if err := command.ExecuteContext(t.Context()); err != nil || out.String() != test.want {
			t.Errorf("status %s: %q, error %v", test.args, out.String(), err)
		}
	}
	command := StatusCommand("", "", ask, write)
	command.SetArgs([]string{"--format", "xml"})
	command.SilenceErrors, command.SilenceUsage = true, true
	var usage *UsageError
	if err := command.ExecuteContext(t.Context()); !errors.As(err, &usage) {
		t.Errorf("an unknown format gives %v", err)
	}
}

// Who asks a program that does not run is told how to start it.
func TestAskWhatDoesNotRun(t *testing.T) {
	var stderr bytes.Buffer
	err := Ask(t.Context(), "pialert-test", filepath.Join(t.TempDir(), "none.sock"), "/status", nil, nil)
	if code := report(&stderr, err); code != 1 || !strings.Contains(stderr.String(), "hint: start it with: sudo systemctl start pialert-test, or pialert-test run\n") {
		t.Errorf("code %d, standard error:\n%s", code, stderr.String())
	}
}
