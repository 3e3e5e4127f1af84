package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The check reads the logs, those that were rotated too, and tells who would have been banned, and
// who of them logged in; it fails if somebody did.
func TestCheckOfThePast(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	lines := func(n int, ago time.Duration, format string, args ...any) string {
		var text strings.Builder
		for i := range n {
			at := now.Add(-ago + time.Duration(i)*time.Second)
			fmt.Fprintf(&text, "%s web1 sshd[%d]: %s\n", at.Format(time.RFC3339), 1000+int(at.Unix())%30000, fmt.Sprintf(format, args...))
		}
		return text.String()
	}
	const failed = "Failed password for root from %s port 22 ssh2"
	const accepted = "Accepted publickey for alice from %s port 22 ssh2: ED25519 SHA256:abc"
	for name, text := range map[string]string{
		"auth.log.2": lines(50, 40*24*time.Hour, failed, "9.9.9.40"),
		"auth.log.1": lines(5, 20*24*time.Hour, failed, "9.9.9.9") + lines(5, 19*24*time.Hour, failed, "5.5.5.5") + lines(1, 18*24*time.Hour, accepted, "5.5.5.5"),
		"auth.log": lines(5, 10*24*time.Hour, failed, "9.9.9.9") + lines(4, 9*24*time.Hour, failed, "9.9.9.8") + lines(1, 8*24*time.Hour, accepted, "6.6.6.6") +
			lines(50, 7*24*time.Hour, failed, "6.6.6.6") + lines(50, 6*24*time.Hour, failed, "10.1.2.3") + lines(50, 5*24*time.Hour, failed, "7.7.7.7"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(dir, "agent.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, "name: web1\nlogs: [{path: %s/auth.log}]\nresponses: {allow: [7.7.7.0/24]}\n", dir), 0o644); err != nil {
		t.Fatal(err)
	}
	check := func(args ...string) (string, error) {
		command := rootCommand()
		var out bytes.Buffer
		command.SetOut(&out)
		command.SetErr(&bytes.Buffer{})
		command.SetArgs(append([]string{"responses", "check", "--config", config}, args...))
		err := command.Execute()
		return out.String(), err
	}
	out, err := check()
	if err == nil || !strings.Contains(err.Error(), "1 of them have logged in: 5.5.5.5/32") {
		t.Errorf("error %v", err)
	}
	rows := strings.Split(out, "\n")
	for i, want := range [][]string{{"WHO"}, {"5.5.5.5/32", " 1 ", "5 attempts within 4s"}, {"9.9.9.9/32", " 2 "}, {""}, {"2 would have been banned"}} {
		for _, text := range want {
			if !strings.Contains(rows[i], text) {
				t.Errorf("line %d of\n%s\nhas no %q", i, out, text)
			}
		}
	}
	for _, want := range []string{"1 would not, though they did enough: a private network", "somebody logged in from there", "it is in responses.allow"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if out, err = check("--since", "15d", "--format", "json"); err != nil || strings.Count(out, "\n") != 1 || !strings.Contains(out, `"target":"9.9.9.9/32","bans":1`) {
		t.Errorf("since 15 days: %v\n%s", err, out)
	}
}
