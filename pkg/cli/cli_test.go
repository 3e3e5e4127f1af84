package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/pkg/config"
	"github.com/pialert/pialert/pkg/control"
	"github.com/pialert/pialert/pkg/escape"
)

func program() *cobra.Command {
	root := &cobra.Command{Use: "pialert-test"}
	root.AddCommand(
		&cobra.Command{Use: "fail", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
			return fmt.Errorf("cannot start: %w", Hint(errors.New("port 7483 is taken"), "stop the other program"))
		}},
		&cobra.Command{Use: "work", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error { return nil }},
		&cobra.Command{Use: "show LAMP", Args: cobra.ExactArgs(1), RunE: func(*cobra.Command, []string) error { return nil }},
		&cobra.Command{Use: "lights on|off", Args: cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs), ValidArgs: []string{"on", "off"},
			RunE: func(*cobra.Command, []string) error { return nil }},
		func() *cobra.Command {
			add := &cobra.Command{Use: "add NAME --by N", Args: cobra.ExactArgs(1), RunE: func(*cobra.Command, []string) error { return nil }}
			add.Flags().Int64("by", 0, "")
			add.Flags().Uint("count", 0, "")
			add.MarkFlagRequired("by")
			return add
		}(),
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
		{"rules lsit", 2, `error: pialert-test rules has no command "lsit"; did you mean list?`},
		{"work now", 2, `error: pialert-test work takes no arguments, such as "now"`},
		{"show", 2, "error: pialert-test show needs LAMP\nhint: see pialert-test show --help\n"},
		{"show the lamp", 2, "error: pialert-test show takes LAMP and nothing more"},
		{"lights", 2, "error: pialert-test lights needs one of on, off\n"},
		{"lights of", 2, `error: "of" is none of on, off`},
		{"add web", 2, "error: pialert-test add needs --by, too\n"},
		{"add --by 3", 2, "error: pialert-test add needs NAME\n"},
		{"add web --by -3", 0, ""},
		{"add web --by three", 2, `error: --by: "three" is no whole number` + "\n"},
		{"add web --by 99999999999999999999", 2, `error: --by: "99999999999999999999" is too large`},
		{"add web --by 1 --count -1", 2, `error: --count: "-1" is no whole number from 0 on`},
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

// What a peer, a service or a file's name says moves no cursor, wherever a program prints it.
func TestForeignTextIsEscaped(t *testing.T) {
	const foreign = "\x1b[2J\u009b2J\u202ed\x7f"
	var failure, text, lines, whole bytes.Buffer
	report(&failure, Hint(errors.New("it said "+foreign+"\nand went"), "look at %s", foreign))
	for format, out := range map[string]*bytes.Buffer{"json": &lines, "text": &text} {
		logger, err := Log{Format: format}.Logger(out)
		if err != nil {
			t.Fatal(err)
		}
		logger.Info(foreign, "peer", foreign)
	}
	if err := errors.Join(NewEncoder(&lines).Encode(foreign), WriteJSON(&whole, foreign)); err != nil {
		t.Fatal(err)
	}
	for name, out := range map[string]*bytes.Buffer{"an error": &failure, "text": &text, "lines of JSON": &lines, "JSON": &whole} {
		for line := range strings.Lines(out.String()) {
			if line = strings.TrimSuffix(line, "\n"); !escape.Printable(line) || line == "" {
				t.Errorf("%s: %+q", name, line)
			}
		}
	}
	if !strings.HasPrefix(failure.String(), "error: it said \\x1b") || strings.Count(failure.String(), "\n") != 3 {
		t.Errorf("%s", &failure)
	}
}

// socketed is a configuration of nothing but the control socket.
type socketed struct {
	Control string `yaml:"control"`
}

func (c socketed) Running() Running { return Running{"pialert-test", c.Control, "."} }

func TestStatusCommand(t *testing.T) {
	type status struct {
		Lines int    `json:"lines"`
		Log   string `json:"log"`
	}
	socket := filepath.Join(t.TempDir(), "control.sock")
	listener, err := control.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	go control.Serve(t.Context(), listener, control.Handle(func(context.Context, struct{}) (status, error) {
		return status{3, "a\u009b2J\u202e\x7f"}, nil
	}))
	write := func(s status, out io.Writer, _ time.Time) error {
		_, err := fmt.Fprintf(out, "%d lines\n", s.Lines)
		return err
	}
	command := func() *cobra.Command {
		root := &cobra.Command{Use: "pialert-test", SilenceErrors: true, SilenceUsage: true}
		settings := NewSettings(root, "/none.yaml", func() socketed { return socketed{socket} })
		root.AddCommand(StatusCommand(settings, "", "", write))
		return root
	}
	for _, test := range []struct{ args, want string }{
		{"", "3 lines\n"},
		{"--format json", "{\n  \"lines\": 3,\n  \"log\": \"a\\u009b2J\\u202e\\u007f\"\n}\n"},
	} {
		command := command()
		var out bytes.Buffer
		command.SetOut(&out)
		command.SetArgs(append([]string{"status"}, strings.Fields(test.args)...))
		if err := command.ExecuteContext(t.Context()); err != nil || out.String() != test.want {
			t.Errorf("status %s: %q, error %v", test.args, out.String(), err)
		}
	}
	wrong := command()
	wrong.SetArgs([]string{"status", "--format", "xml"})
	if err := wrong.ExecuteContext(t.Context()); err == nil || !strings.HasSuffix(err.Error(), `"xml" for "--format" flag: use text or json`) {
		t.Errorf("an unknown format gives %v", err)
	}
}

// Who asks a program that does not run is told what makes it run: its unit starts nothing before it
// is paired, so starting that again and again would lead nowhere.
func TestAskWhatDoesNotRun(t *testing.T) {
	for _, test := range []struct {
		program, said string
		paired        bool
	}{
		{"pialert-agent", "error: not paired yet: pialert-agent runs once it is\nhint: sudo pialert-agent pair\n", false},
		{"pialert-display", "hint: on a server, run sudo pialert-agent pair, and paste here the line that it prints\n", false},
		{"pialert-agent", "hint: start it with: sudo systemctl start pialert-agent, and see why it stopped with: journalctl -u pialert-agent -n 20\n", true},
	} {
		state := t.TempDir()
		if test.paired {
			if err := os.WriteFile(filepath.Join(state, "peers.json"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var stderr bytes.Buffer
		err := Running{test.program, filepath.Join(state, "none.sock"), state}.Ask(t.Context(), "/status", nil, nil)
		if code := report(&stderr, err); code != 1 || !strings.HasSuffix(stderr.String(), test.said) {
			t.Errorf("paired %v: code %d, %s", test.paired, code, stderr.String())
		}
	}
}

// A configuration that was asked for must exist; the default one need not.
func TestSettings(t *testing.T) {
	type configuration struct {
		Name string `yaml:"name"`
	}
	there := filepath.Join(t.TempDir(), "there.yaml")
	if err := os.WriteFile(there, []byte("name: given\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ path, args, want string }{
		{there, "", "given"},
		{"/none.yaml", "", "default"},
		{"/none.yaml", "--config " + there, "given"},
		{there, "--config /none.yaml", ""},
	} {
		root := &cobra.Command{Use: "pialert-test", RunE: func(*cobra.Command, []string) error { return nil }}
		settings := NewSettings(root, test.path, func() configuration { return configuration{"default"} })
		root.SetArgs(strings.Fields(test.args))
		if err := root.Execute(); err != nil {
			t.Fatal(err)
		}
		cfg, err := settings.Load()
		if (err != nil) != (test.want == "") || err == nil && cfg.Name != test.want {
			t.Errorf("%+v gives %q, error %v", test, cfg.Name, err)
		}
	}
}

// What both programs' configurations have is judged in one place, each field under its path.
func TestCommon(t *testing.T) {
	good := Common{Name: "web1", State: "/var/lib/pialert", Control: "/run/control.sock", Metrics: "127.0.0.1:9477"}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	err := Common{Name: "Web 1", Metrics: "9477", Log: Log{Format: "xml"}}.Validate()
	var fields []string
	for problem := range config.Each(err) {
		var field *config.FieldError
		if errors.As(problem, &field) {
			fields = append(fields, field.Path)
		}
	}
	if want := []string{"name", "state", "control", "metrics", "log.format"}; !slices.Equal(fields, want) {
		t.Errorf("the fields %q are refused, want %q", fields, want)
	}
}

// A configuration that cannot be used changes nothing; a valid one is put in force.
func TestReload(t *testing.T) {
	var log bytes.Buffer
	taken := make(chan string, 1)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	asked, loads := make(chan struct{}), 0
	go func() {
		ended <- Reload(ctx, slog.New(slog.NewTextHandler(&log, nil)), func() (string, error) {
			select {
			case asked <- struct{}{}:
			case <-ctx.Done():
			}
			if loads++; loads == 1 {
				return "", errors.New("line 3 is wrong")
			}
			return "new", nil
		}, func(cfg string) error {
			select {
			case taken <- cfg:
			default: // a further signal
			}
			return nil
		})
	}()
	hangup := make(chan os.Signal, 8)
	signal.Notify(hangup, syscall.SIGHUP) // to the end: a late signal is to end nobody
	for loaded := 0; loaded < 2; {
		if err := syscall.Kill(syscall.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		select {
		case <-asked:
			loaded++
		case <-hangup: // Reload may not have been listening yet
		}
	}
	if cfg := <-taken; cfg != "new" {
		t.Errorf("%q is put in force", cfg)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "cannot reload the configuration; the old one stays") || !strings.Contains(log.String(), "line 3 is wrong") {
		t.Errorf("the log is\n%s", log.String())
	}
}
