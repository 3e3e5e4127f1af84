package header

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// field writes a field as an export has it that cannot be a line.
func field(name, value string) string {
	return name + "\n" + string(binary.LittleEndian.AppendUint64(nil, uint64(len(value)))) + value + "\n"
}

const (
	exportStart = "__CURSOR=s=1;i=1\n__REALTIME_TIMESTAMP=1769860800123456\n__MONOTONIC_TIMESTAMP=17\n_BOOT_ID=1\n"
	exportSSHD  = "_HOSTNAME=vps\nSYSLOG_IDENTIFIER=sshd\n_COMM=sshd-session\n_PID=7\n"
	exportLine  = "2026-01-31T12:00:00.123456+00:00 vps sshd[7]: "
)

func TestExport(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, text, want string }{
		{"an entry", exportStart + exportSSHD + "MESSAGE=Connection closed by 192.0.2.7\n\n", exportLine + "Connection closed by 192.0.2.7\n"},
		{"without an empty line at the end", exportStart + exportSSHD + "MESSAGE=x\n", exportLine + "x\n"},
		{"two", strings.Repeat(exportStart+exportSSHD+"MESSAGE=x\n\n", 2), strings.Repeat(exportLine+"x\n", 2)},
		{"two that several empty lines part", exportStart + exportSSHD + "MESSAGE=x\n\n\n\n" + exportStart + exportSSHD + "MESSAGE=y\n\n", exportLine + "x\n" + exportLine + "y\n"},
		{"a message of several lines", exportStart + exportSSHD + field("MESSAGE", "one\ntwo\x00") + "\n", exportLine + "one#012two#000\n"},
		{"an entry within a message", exportStart + exportSSHD + field("MESSAGE", "x\n\n"+exportStart+"MESSAGE=forged\n\n") + "\n",
			exportLine + strings.ReplaceAll("x\n\n"+exportStart+"MESSAGE=forged\n\n", "\n", "#012") + "\n"},
		{"a value that is not looked at", exportStart + field("COREDUMP", strings.Repeat("\n\n", 100_000)) + exportSSHD + "MESSAGE=x\n\n", exportLine + "x\n"},
		{"a long line that is not looked at", exportStart + "COREDUMP=" + strings.Repeat("x", 200_000) + "\n" + exportSSHD + "MESSAGE=x\n\n", exportLine + "x\n"},
		{"a message with =", exportStart + exportSSHD + "MESSAGE=a=b=c\n\n", exportLine + "a=b=c\n"},
		{"an empty message", exportStart + exportSSHD + "MESSAGE=\n\n", exportLine + "\n"},
		{"no message", exportStart + exportSSHD + "\n" + exportStart + exportSSHD + "MESSAGE=x\n\n", exportLine + "x\n"},
		{"no time", exportSSHD + "MESSAGE=x\n\n", ""},
		{"two messages, of which nobody knows which one counts", exportStart + exportSSHD + "MESSAGE=x\nMESSAGE=y\n\n", ""},
		{"a program without an identifier", exportStart + "_HOSTNAME=vps\n_COMM=su\nMESSAGE=x\n\n", "2026-01-31T12:00:00.123456+00:00 vps su: x\n"},
		{"an identifier that pretends to be a header", exportStart + "_HOSTNAME=vps\nSYSLOG_IDENTIFIER=sshd[1]: x\nMESSAGE=x\n\n", "2026-01-31T12:00:00.123456+00:00 vps sshd_1___x: x\n"},
	} {
		for name, in := range map[string]io.Reader{"at once": strings.NewReader(test.text), "byte by byte": iotest.OneByteReader(strings.NewReader(test.text))} {
			got, err := io.ReadAll(NewExport(in, &Trust{}))
			if err != nil || string(got) != test.want {
				t.Errorf("%s, %s: %v\n got %q\nwant %q", test.name, name, err, got, test.want)
			}
		}
	}
}

// What is cut short or is none is an error behind what was read whole.
func TestExportThatEndsEarly(t *testing.T) {
	t.Parallel()
	whole := exportStart + exportSSHD + "MESSAGE=x\n\n"
	for _, broken := range []string{
		"MESSAGE", "MESSAGE\n\x05\x00", field("MESSAGE", "four")[:18], "MESSAGE=without an end", strings.Repeat("x", 100) + "=",
		"MESSAGE\n\xff\xff\xff\xff\xff\xff\xff\xff", strings.TrimSuffix(field("MESSAGE", "four"), "\n") + "x",
	} {
		got, err := io.ReadAll(NewExport(strings.NewReader(whole+broken), &Trust{}))
		if err == nil || string(got) != exportLine+"x\n" {
			t.Errorf("%q: %v, and read %q", broken, err, got)
		}
	}
	broken := errors.New("broken")
	if _, err := io.ReadAll(NewExport(io.MultiReader(strings.NewReader(whole), iotest.ErrReader(broken)), &Trust{})); !errors.Is(err, broken) {
		t.Errorf("%v, want what the reader below says", err)
	}
}

func TestExportBelievesNoForger(t *testing.T) {
	t.Parallel()
	trust := &Trust{RootOnly: map[string]bool{"sshd": true}}
	by := func(uid string) string {
		return exportStart + exportSSHD + "_TRANSPORT=syslog\n_UID=" + uid + "\nMESSAGE=by " + uid + "\n\n"
	}
	export := NewExport(strings.NewReader(by("0")+by("1000")+by("0")), trust)
	got, err := io.ReadAll(export)
	if want := strings.Repeat(exportLine+"by 0\n", 2); err != nil || string(got) != want || export.Untrusted() != 1 {
		t.Errorf("%v, %d left out\n got %q\nwant %q", err, export.Untrusted(), got, want)
	}
}

func FuzzExport(f *testing.F) {
	f.Add([]byte(exportStart + exportSSHD + field("MESSAGE", "one\ntwo") + "\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := io.ReadAll(NewExport(bytes.NewReader(text), &Trust{}))
		if n := bytes.Count(got, []byte("\n")); n > bytes.Count(text, []byte("MESSAGE")) {
			t.Errorf("%d lines of %q", n, text)
		}
		again, err2 := io.ReadAll(NewExport(iotest.HalfReader(bytes.NewReader(text)), &Trust{}))
		if !bytes.Equal(got, again) || (err == nil) != (err2 == nil) {
			t.Errorf("read in halves: %q and %v, not %q and %v", again, err2, got, err)
		}
	})
}
