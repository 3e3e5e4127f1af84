package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What may be read as YAML and still does not do what its owner thinks is a warning.
func TestCheckWarns(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "agent.yaml")
	const text = `
state: /nonexistent
ignore: [192.0.2.1, /nonexistent.txt]
intake: {listen: "127.0.0.1:9479", tokens: [{name: nas, token: 00112233445566778899aabbccddeeff, host: nas, kinds: [web_login]}]}
`
	for mode, want := range map[os.FileMode][]string{
		0o640: {"open /nonexistent.txt: no such file or directory"},
		0o644: {"open /nonexistent.txt: no such file or directory", "intake.tokens[0].token: everybody on this machine can read " + path},
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		command := rootCommand()
		command.SetOut(&out)
		command.SetArgs([]string{"config", "check", "--config", path})
		if err := command.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, warning := range want {
			if !strings.Contains(out.String(), warning) {
				t.Errorf("mode %o: it does not warn of %q:\n%s", mode, warning, &out)
			}
		}
		if open := strings.Contains(out.String(), "tokens[0]"); open != (mode == 0o644) || strings.Contains(out.String(), "001122") {
			t.Errorf("mode %o: it says\n%s", mode, &out)
		}
	}
}
