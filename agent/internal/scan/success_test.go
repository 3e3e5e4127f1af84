package scan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pialert/pialert/agent/internal/detect"
)

// A login that succeeds after failures from the same address comes first in the report, with how many
// there were; it is no attempt.
func TestSuccessesComeFirst(t *testing.T) {
	t.Parallel()
	log := attacked + `Jan 31 12:00:05 host sshd[11]: Accepted password for alice from 198.51.100.3 port 40000 ssh2
Jan 31 12:00:06 host sshd[12]: Failed password for root from 192.0.2.7 port 51115 ssh2
Jan 31 12:00:09 host sshd[13]: Accepted password for root from 192.0.2.7 port 51116 ssh2
`
	out, result, err := run(t, Options{Files: []string{"-"}, Stdin: strings.NewReader(log), Summary: true, Detect: detect.Options{Year: 2025}})
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(out, "succeeded\n")
	first, _, _ := strings.Cut(after, "\n")
	if !found || !strings.HasPrefix(first, "  2025-01-31 12:00:09  root ") || !strings.HasSuffix(first, "after 2 failed attempts") {
		t.Errorf("the report begins with %q:\n%s", first, out)
	}
	if i, j := strings.Index(out, "succeeded"), strings.Index(out, "Kinds"); i > j {
		t.Errorf("kinds come before successes:\n%s", out)
	}
	if result.Attempts != 7 {
		t.Errorf("%d attempts, want 7", result.Attempts)
	}
}

// On a narrow terminal how many failed before is on a line of its own, not cut.
func TestSuccessesOnANarrowTerminal(t *testing.T) {
	t.Parallel()
	log := attacked + "Jan 31 12:00:09 host sshd[13]: Accepted password for root from 192.0.2.7 port 51116 ssh2\n"
	out, _, err := run(t, Options{Files: []string{"-"}, Stdin: strings.NewReader(log), Summary: true, Look: Look{Width: 40}, Detect: detect.Options{Year: 2025}})
	if err != nil {
		t.Fatal(err)
	}
	if want := "\n  2025-01-31 12:00:09  root  192.0.2.7\n     after 1 failed attempt\n"; !strings.Contains(out, want) {
		t.Errorf("want%sin\n%s", want, out)
	}
}

// Logins of one user from one address are one row with the first time, so that a backup's do not hide
// the others.
func TestSuccessesThatAreAlike(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	for i := range 30 {
		fmt.Fprintf(&log, "Jan 31 12:%02d:00 host sshd[%d]: Accepted publickey for backup from 198.51.100.3 port 40000 ssh2\n", i, 100+i)
	}
	log.WriteString("Jan 31 13:00:00 host sshd[9]: Accepted password for root from 192.0.2.7 port 51116 ssh2\n")
	out, _, err := run(t, Options{Files: []string{"-"}, Stdin: strings.NewReader(log.String()), Summary: true, Detect: detect.Options{Year: 2025}})
	if err != nil {
		t.Fatal(err)
	}
	if want := "31 logins succeeded\n  2025-01-31 12:00:00  backup  198.51.100.3  ×30\n  2025-01-31 13:00:00  root    192.0.2.7\n\n"; !strings.Contains(out, want) {
		t.Errorf("want\n%sin\n%s", want, out)
	}
}

// However many logins there are, one after failures is not lost among them, and a user's failures or a network's are told, too.
func TestGraveSuccessesAreNotCrowdedOut(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	for i := range 2 * maxSuccesses {
		fmt.Fprintf(&log, "Jan 31 %02d:%02d:00 host sshd[%d]: Accepted publickey for backup from 198.51.100.3 port 40000 ssh2\n", i/60%20, i%60, 100+i)
	}
	log.WriteString(`Jan 31 21:00:00 host sshd[7]: Failed password for root from 192.0.2.7 port 51116 ssh2
Jan 31 21:00:01 host sshd[8]: Accepted password for root from 192.0.2.8 port 51116 ssh2
Jan 31 21:00:02 host sudo:      bob : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/home/bob ; USER=root ; COMMAND=/bin/sh
Jan 31 21:00:03 host sudo:      bob : TTY=pts/0 ; PWD=/home/bob ; USER=root ; COMMAND=/bin/sh
`)
	out, _, err := run(t, Options{Files: []string{"-"}, Stdin: strings.NewReader(log.String()), Summary: true, Detect: detect.Options{Year: 2025}})
	if err != nil {
		t.Fatal(err)
	}
	want := `2,002 logins succeeded
  2025-01-31 21:00:01  root    192.0.2.8     after a failure from 192.0.2.0/24
  2025-01-31 21:00:03  bob     -             after 3 failures from this user
  2025-01-31 00:00:00  backup  198.51.100.3`
	if !strings.Contains(out, want) {
		t.Errorf("want\n%s\nin\n%s", want, out)
	}
}
