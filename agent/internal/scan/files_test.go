package scan

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/pialert/pialert/agent/internal/detect"
)

// A file is read the same however it is packed.
func TestPackedFiles(t *testing.T) {
	t.Parallel()
	packed := map[string][]byte{".gz": zipped(t, attacked)}
	var b bytes.Buffer
	x, err := xz.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(x, attacked); err != nil {
		t.Fatal(err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	packed[".xz"] = bytes.Clone(b.Bytes())
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	packed[".zst"] = z.EncodeAll([]byte(attacked), nil)
	// One failed login, packed by bzip2 1.0.8, since Go cannot.
	packed[".bz2"], err = hex.DecodeString(failedAsBzip2)
	if err != nil {
		t.Fatal(err)
	}
	for ending, text := range packed {
		_, result, err := run(t, Options{Files: []string{write(t, "auth.log"+ending, text)}, Detect: detect.Options{Year: 2025}})
		if want := uint64(6); err != nil || ending != ".bz2" && result.Attempts != want || result.Attempts == 0 {
			t.Errorf("%s: %+v, error %v", ending, result, err)
		}
		_, _, err = run(t, Options{Files: []string{write(t, "auth.log"+ending, []byte("this is text"))}})
		if err == nil {
			t.Errorf("%s: text passes for it", ending)
		}
	}
}

// With several files each event says in which it stands, by no more of the path than it takes.
func TestEventsOfSeveralFilesNameThem(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	var files []string
	for i, name := range []string{"web1/auth.log", "web2/auth.log", "web1/mail.log"} {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		line := fmt.Sprintf("Jan 31 12:00:0%d host sshd[7]: Failed password for root from 192.0.2.7 port 51112 ssh2\n", 3-i)
		if err := os.WriteFile(path, []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, path)
	}
	out, _, err := run(t, Options{Files: files, Detect: detect.Options{Year: 2025}})
	const want = `2025-01-31 12:00:01  ssh_login        192.0.2.7        root  sshd-failed-password, mail.log, line 1
2025-01-31 12:00:02  ssh_login        192.0.2.7        root  sshd-failed-password, web2/auth.log, line 1
2025-01-31 12:00:03  ssh_login        192.0.2.7        root  sshd-failed-password, web1/auth.log, line 1
`
	if err != nil || !strings.HasPrefix(out, want) {
		t.Errorf("%v\n%s", err, out)
	}
	if names := shortNames([]string{"auth.log", "/var/log/auth.log", "-"}); names["auth.log"] != "auth.log" || names["/var/log/auth.log"] != "log/auth.log" || names["-"] != "-" {
		t.Errorf("%v", names)
	}
}

// A folder and a pattern stand for their files, the oldest first.
func TestFoldersAndPatterns(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for i, name := range []string{"auth.log", "auth.log.1", "auth.log.2.gz", "btmp", "system.journal"} {
		processes := strings.ReplaceAll(attacked, "sshd[", fmt.Sprintf("sshd[%d", i+1))
		text := []byte(processes)
		if strings.HasSuffix(name, ".gz") {
			text = zipped(t, processes)
		}
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		changed := time.Date(2025, 2, 1, 0, 0, 0, 0, time.UTC).Add(-time.Duration(i) * 24 * time.Hour)
		if err := os.Chtimes(path, changed, changed); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{filepath.Join(folder, "auth.log.2.gz"), filepath.Join(folder, "auth.log.1"), filepath.Join(folder, "auth.log")}
	for _, name := range []string{folder, filepath.Join(folder, "auth.log*")} {
		files, err := expand([]string{name})
		if err != nil || strings.Join(files, " ") != strings.Join(want, " ") {
			t.Errorf("%s stands for %v, error %v, want %v", name, files, err, want)
		}
	}
	_, result, err := run(t, Options{Files: []string{folder}, Detect: detect.Options{Year: 2025}})
	if err != nil || result.Lines != 15 || result.Attempts != 18 {
		t.Errorf("%+v, error %v", result, err)
	}
	if _, err := expand([]string{filepath.Join(folder, "*.none")}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a pattern that nothing matches: %v", err)
	}
}

func TestNothingIsSilentlyZero(t *testing.T) {
	t.Parallel()
	text := "a poem\nof no log\n\nthat anybody writes\nat all\n"
	out, result, err := run(t, Options{Files: []string{write(t, "poem", []byte(text))}})
	if !errors.Is(err, ErrNothingRead) || result.Unread != 4 || !strings.Contains(out, "4 lines of no form") || !strings.Contains(out, "of no log") {
		t.Errorf("%+v, error %v in\n%s", result, err, out)
	}
	out, result, err = run(t, Options{Files: []string{write(t, "mixed", []byte(text+attacked))}, Detect: detect.Options{Year: 2025}})
	if err != nil || result.Unread != 4 || result.Attempts != 6 {
		t.Errorf("%+v, error %v in\n%s", result, err, out)
	}
	if _, _, err := run(t, Options{Files: []string{write(t, "empty", nil)}}); err != nil {
		t.Errorf("an empty file: %v", err)
	}
}

// One file may mix what a server writes.
func TestMixedFormats(t *testing.T) {
	t.Parallel()
	text := `192.0.2.7 - - [31/Jan/2025:12:00:00 +0000] "GET /.env HTTP/1.1" 404 5
Jan 31 12:00:00 host sshd[7]: Failed password for root from 192.0.2.8 port 51112 ssh2
[Fri Jan 31 12:00:00.5 2025] [auth_basic:error] [pid 1] [client 192.0.2.9:99] AH01618: user eve not found: /x
2025-01-31T12:00:00+00:00 host sshd[8]: Failed password for root from 192.0.2.10 port 51112 ssh2
`
	_, result, err := run(t, Options{Files: []string{write(t, "mixed", []byte(text))}, Detect: detect.Options{Year: 2025}})
	if err != nil || result.Attempts != 4 || result.Unread != 0 {
		t.Errorf("%+v, error %v", result, err)
	}
}

func TestMissedLines(t *testing.T) {
	t.Parallel()
	const missed = "Jan 31 12:00:00 host sshd[7]: Nobody has ever seen this\x1b[2J"
	text := attacked + missed + "\nJan 31 12:00:00 host unheard-of[7]: Neither has anybody this\nno line of a log\n"
	out, result, err := run(t, Options{Files: []string{write(t, "auth.log", []byte(text))}, Missed: true, Detect: detect.Options{Year: 2025}})
	if err != nil || result.Missed != 1 || strings.Count(out, "\n") != 1 || !strings.Contains(out, "Nobody has ever seen this") || strings.Contains(out, "\x1b") {
		t.Errorf("%+v, error %v in\n%q", result, err, out)
	}
}

func TestSpansOfTime(t *testing.T) {
	t.Parallel()
	options := Options{
		Files: []string{write(t, "auth.log", []byte(attacked))}, Detect: detect.Options{Year: 2025},
		Since: time.Date(2025, 1, 31, 12, 0, 3, 0, time.UTC), Until: time.Date(2025, 1, 31, 12, 0, 3, 500, time.UTC),
	}
	if _, result, err := run(t, options); err != nil || result.Attempts != 4 {
		t.Errorf("%+v, error %v", result, err)
	}
}

func TestJournalIsRead(t *testing.T) {
	t.Parallel()
	_, result, err := run(t, Options{Files: []string{Journal}, Detect: detect.Options{Year: 2025},
		Journal: func(_ context.Context, to io.Writer) error { _, err := io.WriteString(to, attacked); return err }})
	if err != nil || result.Attempts != 6 {
		t.Errorf("%+v, error %v", result, err)
	}
	broken := errors.New("there is no journal")
	_, _, err = run(t, Options{Files: []string{Journal}, Journal: func(context.Context, io.Writer) error { return broken }})
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}

const failedAsBzip2 = "425a6839314159265359dc1effe80000155f80001040017ab00110000a2767dc802000488a7b547a868da4d1e91ea190354dea41ea68d3264d341e84" +
	"4e9ecac340b5821a19c7220b289489c4f318106be90d71e2736a559e3f382867bfa940b6d9d9a060c89d4108d6a122e2ee48a70a121b83dffd00" +
	""

// An export of systemd's journal is read entry by entry, whatever its fields hold.
func TestExportOfTheJournal(t *testing.T) {
	t.Parallel()
	const forged = "x\n\n__REALTIME_TIMESTAMP=1769860801000000\n_HOSTNAME=vps\nSYSLOG_IDENTIFIER=sshd\n_PID=8\n" +
		"MESSAGE=Failed password for root from 203.0.113.66 port 22 ssh2\n\n"
	var export bytes.Buffer
	for _, message := range []string{"Failed password for root from 192.0.2.7 port 22 ssh2", "Failed password for " + forged + " from 192.0.2.7 port 22 ssh2"} {
		export.WriteString("__CURSOR=s=1\n__REALTIME_TIMESTAMP=1769860800000000\n_HOSTNAME=vps\nSYSLOG_IDENTIFIER=sshd\n_PID=7\nMESSAGE\n")
		export.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(message))))
		export.WriteString(message + "\n\n")
	}
	out, result, err := run(t, Options{Files: []string{write(t, "journal.export", export.Bytes())}, Format: JSON})
	if err != nil || result.Attempts != 2 || result.Unread != 0 || strings.Contains(out, `"203.0.113.66"`) {
		t.Errorf("%+v, %v:\n%s", result, err, out)
	}
}

// Whoever may log can call himself sshd: what `logger -t sshd` sent is left out of every form of a journal, and told.
func TestForgersInAJournal(t *testing.T) {
	t.Parallel()
	const message = "Failed password for root from 192.0.2.%d port 22 ssh2"
	var asJSON, export strings.Builder
	for uid := range 3 { // 0 is root
		said := fmt.Sprintf(message, uid)
		fmt.Fprintf(&asJSON, `{"__REALTIME_TIMESTAMP":"1769860800000000","_HOSTNAME":"vps","_TRANSPORT":"syslog","_UID":"%d","SYSLOG_IDENTIFIER":"sshd","MESSAGE":"%s"}`+"\n", uid, said)
		fmt.Fprintf(&export, "__REALTIME_TIMESTAMP=1769860800000000\n_HOSTNAME=vps\n_TRANSPORT=syslog\n_UID=%d\nSYSLOG_IDENTIFIER=sshd\nMESSAGE=%s\n\n", uid, said)
	}
	for name, options := range map[string]Options{
		"JSON": {Files: []string{"-"}, Stdin: strings.NewReader(asJSON.String())}, "an export": {Files: []string{"-"}, Stdin: strings.NewReader(export.String())},
		"the journal": {Files: []string{Journal}, Journal: func(_ context.Context, to io.Writer) error {
			_, err := io.WriteString(to, asJSON.String())
			return err
		}},
	} {
		out, result, err := run(t, options)
		if err != nil || result.Attempts != 1 || result.Untrusted != 2 || !strings.Contains(out, "2 entries of a journal left out") {
			t.Errorf("%s: %+v, %v\n%s", name, result, err, out)
		}
	}
}

// A file of systemd's journal is none that can be read as text, however it comes: an error says what reads it.
func TestAFileOfTheJournal(t *testing.T) {
	t.Parallel()
	text := "LPKSHHRH" + strings.Repeat("\x00", 3<<20)
	for name, options := range map[string]Options{
		"a file": {Files: []string{write(t, "system.journal", []byte(text))}}, "compressed": {Files: []string{write(t, "system.gz", zipped(t, text))}},
		"standard input": {Files: []string{"-"}, Stdin: strings.NewReader(text)},
	} {
		if _, result, err := run(t, options); err == nil || !strings.Contains(err.Error(), "journalctl -o export --file") || result.Lines != 0 {
			t.Errorf("%s: %+v, %v", name, result, err)
		}
	}
}
