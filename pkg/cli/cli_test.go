package cli

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

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
