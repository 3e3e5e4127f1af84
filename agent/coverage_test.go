package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/pialert/pialert/agent/internal/detect"
	"github.com/pialert/pialert/agent/internal/rule/messages"
)

// Every message of an attack is taken by a rule; what each rule makes of hostile texts is held by
// package detect.
func TestCoverage(t *testing.T) {
	t.Parallel()
	rules, err := detect.Load()
	if err != nil {
		t.Fatal(err)
	}
	covered, err := cover(rules, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := missed(covered); err != nil {
		t.Error(err)
	}
	var out bytes.Buffer
	if err := printCoverage(&out, covered); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(out.String(), "\n"); lines != len(covered)+2 {
		t.Errorf("%d lines for %d daemons:\n%s", lines, len(covered), &out)
	}
	one, err := cover(rules, []string{"sshd"})
	if err != nil || len(one) != 1 {
		t.Fatalf("%d daemons, error %v", len(one), err)
	}
	out.Reset()
	if err := printMessages(&out, one); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"auth.c auth_log", "sshd-failed-password counts it as ssh_login", "  harmless "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing", want)
		}
	}
	if _, err := cover(rules, []string{"telepathy"}); err == nil || !strings.Contains(err.Error(), "sshd") {
		t.Errorf("error %v, want one that names the daemons", err)
	}
}

func TestMissedMessages(t *testing.T) {
	t.Parallel()
	files, err := messages.Load()
	if err != nil {
		t.Fatal(err)
	}
	nothing := files[0].Cover(func(string) (string, bool) { return "", false })
	if nothing.Taken != 0 || nothing.Attacks == 0 || !nothing.Listed[0].Missed {
		t.Errorf("without rules: %+v", nothing)
	}
	if err := missed([]messages.Coverage{nothing}); err == nil || !strings.Contains(err.Error(), "no rule") {
		t.Errorf("error %v", err)
	}
	own := files[0].Cover(func(string) (string, bool) { return "mine", true })
	if own.Taken != own.Attacks {
		t.Error("a user's own rule that counts takes a message, too")
	}
}
