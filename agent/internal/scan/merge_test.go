package scan

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/pialert/pialert/agent/internal/detect"
	"github.com/pialert/pialert/pkg/attack"
)

// However many goroutines match blocks of however few lines, the blocks are joined one by one, in the order
// in which they were read.
func TestBlocksAreJoinedInOrder(t *testing.T) {
	t.Parallel()
	rules, err := detect.Load()
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	var want []string
	for i := range 300 {
		fmt.Fprintf(&text, "Nov 20 12:00:00 vps sshd[%d]: Invalid user u%d from 192.0.2.%d port %d\n", i, i, i%250, i+1)
		want = append(want, fmt.Sprint("u", i))
	}
	for _, goroutines := range []int{1, 2, 3, 16} {
		for range 5 {
			var users []string
			s, err := newScan(Options{
				Files: []string{"-"}, Stdin: iotest.HalfReader(iotest.OneByteReader(bytes.NewReader(text.Bytes()))), Stdout: io.Discard, Now: time.Now,
				Detect: detect.Options{Rules: rules}, Each: func(ev *attack.Event) { users = append(users, ev.User) },
			})
			if err != nil {
				t.Fatal(err)
			}
			s.cores = goroutines
			if problems := s.read(t.Context(), partsOf(s.opts.Files)); problems != nil || !slices.Equal(users, want) {
				t.Fatalf("%d goroutines found %v, problems %v", goroutines, users, problems)
			}
		}
	}
}

// stamped is a line of syslog some minutes after noon on a day of January.
func stamped(day, minutes int, rest string) string {
	return time.Date(2025, time.January, day, 12, minutes, 0, 0, time.UTC).Format(time.Stamp) + " vps " + rest + "\n"
}

// What two programs write of the same passwords to two files counts once, however long the files are and in
// whatever order they are named: their lines are joined in the order of their stamps.
func TestFilesAreReadSideBySide(t *testing.T) {
	t.Parallel()
	var auth, mail, access, errors strings.Builder
	const tries = 300 // half an hour apart
	for i := range tries {
		auth.WriteString(stamped(1, 30*i, fmt.Sprintf("auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=eve%d rhost=192.0.2.7", i)))
		mail.WriteString(stamped(1, 30*i, fmt.Sprintf("dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<eve%d>, method=PLAIN, rip=192.0.2.7, lip=198.51.100.1, session=<x>", i)))
		at := time.Date(2025, time.January, 1, 12, 30*i, 0, 0, time.UTC)
		for n := range 20 { // more than wait for their duplicates at a time
			fmt.Fprintf(&access, "192.0.2.%d - eve [%s] \"GET /private/ HTTP/1.1\" 401 381 \"-\" \"curl/8\"\n", n, at.Format("02/Jan/2006:15:04:05 -0700"))
			fmt.Fprintf(&errors, "[%s] [auth_basic:error] [pid 7:tid 9] [client 192.0.2.%d:5%03d] AH01617: user eve: authentication failure for \"/private/\": Password Mismatch\n",
				at.Format("Mon Jan 02 15:04:05.000000 2006"), n, i)
		}
	}
	files := map[string]string{"auth.log": auth.String(), "mail.log": mail.String(), "access.log": access.String(), "error.log": errors.String()}
	for _, test := range []struct {
		names []string
		want  uint64
	}{
		{[]string{"auth.log"}, tries}, {[]string{"mail.log"}, tries},
		{[]string{"auth.log", "mail.log"}, tries}, {[]string{"mail.log", "auth.log"}, tries},
		{[]string{"access.log", "error.log"}, 20 * tries}, {[]string{"error.log", "access.log"}, 20 * tries},
		{[]string{"error.log", "mail.log", "access.log", "auth.log"}, 21 * tries},
	} {
		var paths []string
		for _, name := range test.names {
			paths = append(paths, write(t, name, []byte(files[name])))
		}
		var times []time.Time
		_, result, err := run(t, Options{Files: paths, Detect: detect.Options{Year: 2025}, Each: func(ev *attack.Event) { times = append(times, ev.Logged) }})
		if err != nil || result.Attempts != test.want || !slices.IsSortedFunc(times, time.Time.Compare) {
			t.Errorf("%v: %d attempts, want %d, in order: %v, error %v", test.names, result.Attempts, test.want, slices.IsSortedFunc(times, time.Time.Compare), err)
		}
	}
}

// Who ends a scan of many files is told so once.
func TestAScanThatIsEndedSaysSoOnce(t *testing.T) {
	t.Parallel()
	rules, err := detect.Load()
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for i := range 5 {
		files = append(files, write(t, fmt.Sprintf("%d.auth", i), []byte(strings.Repeat(attacked, 2000))))
	}
	ctx, end := context.WithCancel(t.Context())
	_, err = Run(ctx, Options{Files: files, Stdout: io.Discard, Now: time.Now, Detect: detect.Options{Rules: rules}, Each: func(*attack.Event) { end() }})
	if err == nil || strings.Count(err.Error(), context.Canceled.Error()) != 1 {
		t.Errorf("%v", err)
	}
}

// A connection goes on in the file that rotation made, whatever the order in which a shell names the files, and years
// go on from file to file.
func TestARotatedLogIsOneLog(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for name, text := range map[string]string{
		"auth.log.2.gz": "Dec 31 23:50:00 vps sshd[3]: Failed password for root from 192.0.2.3 port 3 ssh2\n",
		"auth.log.1":    "Dec 31 23:59:58 vps sshd[7]: Invalid user eve from 192.0.2.7 port 51112\n",
		"auth.log":      "Jan  1 00:00:01 vps sshd[7]: Failed password for invalid user eve from 192.0.2.7 port 51112 ssh2\n",
	} {
		written := []byte(text)
		if strings.HasSuffix(name, ".gz") {
			written = zipped(t, text)
		}
		if err := os.WriteFile(filepath.Join(folder, name), written, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, names := range [][]string{{"auth.log", "auth.log.1", "auth.log.2.gz"}, {"auth.log.2.gz", "auth.log", "auth.log.1"}} {
		var found []string
		var paths []string
		for _, name := range names {
			paths = append(paths, filepath.Join(folder, name))
		}
		_, result, err := run(t, Options{Files: paths, Detect: detect.Options{Year: 2024}, Each: func(ev *attack.Event) {
			found = append(found, ev.Logged.Format(time.DateTime)+" "+filepath.Base(ev.Log))
		}})
		if want := []string{"2024-12-31 23:50:00 auth.log.2.gz", "2024-12-31 23:59:58 auth.log.1"}; err != nil || result.Attempts != 2 || !slices.Equal(found, want) {
			t.Errorf("%v: %v, %+v, %v", names, found, result, err)
		}
	}
}

func TestPartsOfLogs(t *testing.T) {
	t.Parallel()
	files := []string{
		"/l/auth.log", "/l/auth.log.1", "/l/auth.log.10.gz", "/l/auth.log.2.gz", "/m/auth.log.1", "/l/messages-20250105", "/l/messages-20241229.xz", "/l/messages",
		"/l/access-2025-01-02.log", "/l/access-2025-01-01.log.zst", "/l/access.1735689600", "/l/192.168.100.200.log", "/l/192.168.100.201.log", "/l/192.0.2.10", "/l/192.0.2.11", "-", Journal,
	}
	want := [][]string{
		{"/l/auth.log.10.gz", "/l/auth.log.2.gz", "/l/auth.log.1", "/l/auth.log"}, {"/m/auth.log.1"}, {"/l/messages-20241229.xz", "/l/messages-20250105", "/l/messages"},
		{"/l/access-2025-01-01.log.zst", "/l/access-2025-01-02.log"}, {"/l/access.1735689600"}, {"/l/192.168.100.200.log"}, {"/l/192.168.100.201.log"}, {"/l/192.0.2.10"}, {"/l/192.0.2.11"}, {"-"}, {Journal},
	}
	var got [][]string
	for _, log := range partsOf(files) {
		got = append(got, log.files)
	}
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("%q\nwant %q", got, want)
	}
}
