package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/pialert/pialert/agent/internal/detect"
	"github.com/pialert/pialert/agent/internal/rule/messages"
)

// coverage is that of all daemons by the built-in rules.
var coverage = sync.OnceValues(func() ([]messages.Coverage, error) {
	rules, err := detect.Load()
	if err != nil {
		return nil, err
	}
	return cover(rules, nil)
})

// Every message of an attack is taken by a rule; what each rule makes of hostile texts is held by
// package detect.
func TestCoverage(t *testing.T) {
	t.Parallel()
	rules, err := detect.Load()
	if err != nil {
		t.Fatal(err)
	}
	covered, err := coverage()
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

// docs/detection.md has the totals of each daemon. `go test ./agent -run Documented -update` writes them anew.
func TestDocumentedCoverage(t *testing.T) {
	t.Parallel()
	covered, err := coverage()
	if err != nil {
		t.Fatal(err)
	}
	const path, head = "../docs/detection.md", "| daemon | messages | that tell of attacks | taken | harmless | lines tried |\n|---|---|---|---|---|---|\n"
	table := head
	var sum messages.Coverage
	for _, c := range covered {
		table += fmt.Sprintf("| %s | %d | %d | %d | %d | %d |\n", c.Daemon, c.Messages, c.Attacks, c.Taken, c.Harmless, c.Lines)
		sum.Add(c)
	}
	table += fmt.Sprintf("| **all** | **%d** | **%d** | **%d** | **%d** | **%d** |\n", sum.Messages, sum.Attacks, sum.Taken, sum.Harmless, sum.Lines)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), head)
	end := strings.Index(rest, "\n\n") + 1
	if !ok || end == 0 {
		t.Fatal("docs/detection.md has no table of what daemons can write")
	}
	if head+rest[:end] == table {
		return
	}
	if !*update {
		t.Fatal("docs/detection.md has other totals than the inventory: make docs")
	}
	if err := os.WriteFile(path, []byte(before+table+rest[end:]), 0o644); err != nil {
		t.Fatal(err)
	}
}
