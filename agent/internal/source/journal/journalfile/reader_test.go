package journalfile_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/source/journal/journalfile"
)

const machine = "0123456789abcdef0123456789abcdef"

// sample is an entry before it is written.
type sample struct {
	micro, mono uint64
	message     []byte
	facility    int
}

// samples makes entries as programs write them, with what an attacker may put into a user name: short
// and long, text and bytes, what can be compressed and what cannot.
func samples(n int, seed uint64) []sample {
	random := rand.New(rand.NewPCG(seed, 1))
	all := make([]sample, n)
	for i := range all {
		message := fmt.Appendf(nil, "Failed password for invalid user %d from 192.0.2.%d port %d ssh2", i, i%250, 1024+i)
		switch i % 7 {
		case 3:
			message = append(message, bytes.Repeat([]byte("abcabcabd "), random.IntN(300))...)
		case 4:
			noise := make([]byte, random.IntN(3000))
			for i := range noise {
				noise[i] = byte(random.Uint32())
			}
			message = append(message, noise...)
		case 5:
			message = append(message, bytes.Repeat([]byte{'x'}, 4096+random.IntN(3))...)
		case 6:
			message = message[:random.IntN(len(message))]
		}
		all[i] = sample{1_790_000_000_000_000 + uint64(i)*1000, uint64(i)*1000 + 5, message, []int{4, 10, 3}[i%3]}
	}
	return all
}

// export writes entries in the journal's export format (systemd's documentation JOURNAL_EXPORT_FORMATS).
func export(entries []sample) []byte {
	var out bytes.Buffer
	for _, e := range entries {
		fmt.Fprintf(&out, "__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=%s\n_UID=0\n_COMM=sshd\nSYSLOG_IDENTIFIER=sshd\nSYSLOG_FACILITY=%d\nMESSAGE\n",
			e.micro, e.mono, strings.Repeat("b0", 16), e.facility)
		binary.Write(&out, binary.LittleEndian, uint64(len(e.message)))
		out.Write(e.message)
		out.WriteString("\n\n")
	}
	return out.Bytes()
}

// journal writes entries into a journal file by systemd's own code, and returns the folder of all
// machines' journals.
func journal(t testing.TB, folder, name string, entries []sample, env ...string) {
	t.Helper()
	dir := filepath.Join(folder, machine)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	// It insists on a name without an @.
	made := filepath.Join(t.TempDir(), "made.journal")
	command := exec.Command("/lib/systemd/systemd-journal-remote", "--output="+made, "--split-mode=none", "-")
	command.Env = append(os.Environ(), env...)
	command.Stdin = bytes.NewReader(export(entries))
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("systemd-journal-remote: %v\n%s", err, out)
	}
	if err := os.Rename(made, filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func wanted(name string) bool { return name == "MESSAGE" || name == "_COMM" }

// read reads all that there is.
func read(t testing.TB, r *journalfile.Reader) []journalfile.Entry {
	t.Helper()
	var all []journalfile.Entry
	for {
		e, ok, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return all
		}
		all = append(all, e)
	}
}

func value(e journalfile.Entry, name string) []byte {
	for _, f := range e.Fields {
		if f.Name == name {
			return f.Value
		}
	}
	return nil
}

// Whatever journald's layout, every entry is read as it was written, and has the cursor
// that journalctl gives it.
func TestLayouts(t *testing.T) {
	t.Parallel()
	for _, compact := range []string{"0", "1"} {
		for _, keyed := range []string{"0", "1"} {
			t.Run("compact="+compact+" keyed="+keyed, func(t *testing.T) {
				t.Parallel()
				folder, entries := t.TempDir(), samples(400, 7)
				journal(t, folder, "system.journal", entries, "SYSTEMD_JOURNAL_COMPACT="+compact, "SYSTEMD_JOURNAL_KEYED_HASH="+keyed)
				r := journalfile.NewReader([]string{folder}, wanted)
				defer r.Close()
				got := read(t, r)
				if len(got) != len(entries) || r.Damaged() != 0 {
					t.Fatalf("%d entries of %d were read, %d were damaged", len(got), len(entries), r.Damaged())
				}
				cursors := journalctl(t, filepath.Join(folder, machine, "system.journal"))
				for i, e := range got {
					message := entries[i].message
					if len(message) > journalfile.MaxValue {
						message = nil
					}
					if !bytes.Equal(value(e, "MESSAGE"), message) || string(value(e, "_COMM")) != "sshd" || len(e.Fields) != 2 {
						t.Fatalf("entry %d is %q, want %q", i, e.Fields, message)
					}
					if e.Cursor() != cursors[i] {
						t.Fatalf("entry %d is at %s, journalctl says %s", i, e.Cursor(), cursors[i])
					}
				}
			})
		}
	}
}

// journalctl tells the cursors of a file's entries.
func journalctl(t testing.TB, path string) []string {
	t.Helper()
	out, err := exec.Command("journalctl", "--file="+path, "--output=json", "--output-fields=_COMM", "--no-pager").Output()
	if err != nil {
		t.Fatal(err)
	}
	var cursors []string
	for line := range bytes.Lines(out) {
		var e struct {
			Cursor string `json:"__CURSOR"`
		}
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		cursors = append(cursors, e.Cursor)
	}
	return cursors
}

// Reading goes on behind any cursor, over rotated files, and each entry comes once.
func TestGoesOnBehindACursor(t *testing.T) {
	t.Parallel()
	folder, entries := t.TempDir(), samples(300, 3)
	journal(t, folder, "system@a.journal", entries[:100])
	journal(t, folder, "system@b.journal", entries[100:200])
	journal(t, folder, "system.journal", entries[200:])
	r := journalfile.NewReader([]string{folder, filepath.Join(folder, "missing")}, wanted)
	defer r.Close()
	all := read(t, r)
	if len(all) != len(entries) {
		t.Fatalf("%d entries of %d", len(all), len(entries))
	}
	for i := 0; i < len(all); i += 13 {
		place, err := journalfile.ParseCursor(all[i].Cursor())
		if err != nil {
			t.Fatal(err)
		}
		r.After(place)
		rest := read(t, r)
		if len(rest) != len(all)-i-1 {
			t.Fatalf("%d entries come after %d of %d", len(rest), i+1, len(all))
		}
		for k := range rest {
			if rest[k].Place != all[i+1+k].Place {
				t.Fatalf("entry %d after %d is at %s, want %s", k, i, rest[k].Cursor(), all[i+1+k].Cursor())
			}
		}
	}
	r.Since(time.UnixMicro(int64(entries[150].micro)))
	if rest := read(t, r); len(rest) != 150 || rest[0].Realtime != entries[150].micro {
		t.Errorf("since the 151st there are %d", len(rest))
	}
	place, err := r.End()
	if err != nil || place != all[len(all)-1].Place {
		t.Errorf("the end is %s, error %v", place.Cursor(), err)
	}
}

// The journal that a machine writes in memory until its disk is there is copied to the disk then, and
// numbered anew. Its entries come once.
func TestFlushToTheDisk(t *testing.T) {
	t.Parallel()
	disk, memory, entries := t.TempDir(), t.TempDir(), samples(60, 5)
	journal(t, memory, "system.journal", entries[:20])
	r := journalfile.NewReader([]string{disk, memory}, wanted)
	defer r.Close()
	if n := len(read(t, r)); n != 20 {
		t.Fatalf("%d entries of 20", n)
	}
	journal(t, disk, "system.journal", entries) // the 20 and later ones
	rest := read(t, r)
	if len(rest) != 40 || !bytes.Equal(value(rest[0], "MESSAGE"), entries[20].message) {
		t.Errorf("%d entries come after the 20, want 40", len(rest))
	}
}

// Damage costs what it hits, and nothing else: no panic, no end.
func TestDamage(t *testing.T) {
	t.Parallel()
	folder, entries := t.TempDir(), samples(60, 9)
	journal(t, folder, "system@a.journal", entries)
	path := filepath.Join(folder, machine, "system@a.journal")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	used := bytes.TrimRight(whole, "\x00")
	random := rand.New(rand.NewPCG(1, 2))
	lost := 0
	for range 300 {
		broken := slices.Clone(whole)
		for range 1 + random.IntN(3) {
			broken[random.IntN(len(used))] ^= 1 << random.IntN(8)
		}
		if random.IntN(4) == 0 {
			broken = broken[:random.IntN(len(used))]
		}
		if err := os.WriteFile(path, broken, 0o644); err != nil {
			t.Fatal(err)
		}
		r := journalfile.NewReader([]string{folder}, wanted)
		n := 0
		for ; ; n++ {
			_, ok, err := r.Next()
			if err != nil || !ok {
				break
			}
		}
		if n > len(entries) {
			t.Errorf("%d entries were made of %d", n, len(entries))
		}
		lost += len(entries) - n
		r.Close()
	}
	if lost == 0 {
		t.Error("no damage was noticed")
	}
}

// A folder without a journal is said to be so, and so is a cursor that is none.
func TestErrors(t *testing.T) {
	t.Parallel()
	r := journalfile.NewReader([]string{t.TempDir()}, wanted)
	if _, _, err := r.Next(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a journal: %v", err)
	}
	good := "s=" + strings.Repeat("0a", 16) + ";i=1f;b=" + strings.Repeat("0b", 16) + ";m=2;t=3;x=4"
	if place, err := journalfile.ParseCursor(good); err != nil || place.Cursor() != good || place.Seqnum != 31 {
		t.Errorf("%s is read as %s, error %v", good, place.Cursor(), err)
	}
	for _, bad := range []string{"", "s=1", good + ";i=2", good + ";z=1", strings.Replace(good, "i=1f", "i=x", 1), strings.Replace(good, ";x=4", "", 1)} {
		if _, err := journalfile.ParseCursor(bad); err == nil {
			t.Errorf("%q is read as a cursor", bad)
		}
	}
}
