package main

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pialert/pialert/pkg/cli"
)

// A shell completes what the commands take: lamps, agents, kinds and words.
func TestCompletion(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*Config) {})
	s.commit(logins(1)...)
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"show", ""}, "wordpress"},
		{[]string{"lights", ""}, "off"},
		{[]string{"top", ""}, "networks"},
		{[]string{"events", "--kind", ""}, "ssh_login"},
		{[]string{"events", "--agent", ""}, "vps"},
		{[]string{"run", "--driver", ""}, "terminal"},
		{[]string{"correct", "--agent", ""}, "vps"},
		{[]string{"correct", "--agent", "vps", "--by", "1", "--reason", "r", ""}, "ssh-a"},
		{[]string{"correct", "--agent", "vps", "--by", "1", "--reason", "r", ""}, "http_probe"},
	} {
		// The word to complete is the last, so that --config cannot stand behind it.
		args := append([]string{"__complete", "--config", filepath.Join(s.cfg.State, "display.yaml")}, test.args...)
		s.must("status") // which writes the file
		var out bytes.Buffer
		root := rootCommand()
		root.SetOut(&out)
		root.SetArgs(args)
		if err := root.ExecuteContext(t.Context()); err != nil || !slices.Contains(strings.Split(out.String(), "\n"), test.want) {
			t.Errorf("%v: %v, want %s among\n%s", test.args, err, test.want, out.String())
		}
	}
}

// What a person mistypes is found before the running display is asked, and ends with the code of a
// wrong call.
func TestWrongChoices(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*Config) {})
	for _, test := range []struct{ args, want string }{
		{"events --since yesterdy", `--since: "yesterdy" is no time: use 8h`},
		{"events --limit -1", "--limit -1: give 0"},
		{"events --since today --until yesterday", "--until yesterday is not after --since today"},
		{"export --kind ssh_logn", `--kind: there is no kind "ssh_logn"; did you mean ssh_login?`},
		{"top sources --limit -3", "--limit -3: give 0"},
		{"top users --source 1.2.3", `--source: "1.2.3" is no address`},
	} {
		_, err := s.run(strings.Fields(test.args)...)
		var usage *cli.UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want a wrong call: %s", test.args, err, test.want)
		}
	}
}
