// Package demo looks at what `make demo` shows in a terminal: pictures of it in both schemes are
// left in build/pictures, for people to look at.
package demo

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pialert/pialert/test/screen"
)

const root = "../.."

// timeout is how long a demonstration may take, on a machine that does much else.
const timeout = 3 * time.Minute

// watched is a demonstration in a terminal of its own.
type watched struct {
	*screen.Screen
	t       *testing.T
	child   *exec.Cmd
	keys    *os.File
	written chan []byte
}

// start starts `make demo` in a terminal of a size, as a shell does.
func start(t *testing.T, columns, rows int) *watched {
	t.Helper()
	master, slave, err := screen.OpenTerminal(columns, rows)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	t.Cleanup(cancel)
	child := exec.CommandContext(ctx, "make", "--no-print-directory", "-s", "demo")
	child.Dir = root
	child.Env = append(os.Environ(), "TERM=xterm-256color", "COLORTERM=truecolor", "NO_COLOR=", "MAKEFLAGS=")
	child.Stdin, child.Stdout, child.Stderr = slave, slave, slave
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	w := &watched{screen.New(columns, rows), t, child, master, make(chan []byte)}
	go func() {
		defer close(w.written)
		for {
			piece := make([]byte, 1<<16)
			n, err := master.Read(piece)
			if err != nil {
				return // all ends of the terminal are closed
			}
			w.written <- piece[:n]
		}
	}()
	return w
}

// until follows what is written until ok says so, or the end. It returns whether ok did.
func (w *watched) until(ok func() bool) bool {
	for piece := range w.written {
		w.Write(piece)
		if ok() {
			return true
		}
	}
	return false
}

// end follows to the end and returns the exit code.
func (w *watched) end() int {
	w.t.Helper()
	w.until(func() bool { return false })
	w.child.Wait() // what it returns, ProcessState tells too
	if len(w.Mistakes) > 0 {
		w.t.Errorf("the terminal does not understand %q", w.Mistakes)
	}
	if !w.Cursor {
		w.t.Error("the cursor stays hidden")
	}
	return w.child.ProcessState.ExitCode()
}

// shoot leaves pictures of what is shown in both schemes.
func (w *watched) shoot(name string) {
	w.t.Helper()
	dir := filepath.Join(root, "build", "pictures")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		w.t.Fatal(err)
	}
	for scheme, colors := range map[string]screen.Scheme{"dark": screen.Dark, "light": screen.Light} {
		var picture bytes.Buffer
		if err := w.PNG(&picture, colors); err != nil {
			w.t.Fatal(err)
		}
		path := filepath.Join(dir, fmt.Sprintf("demo-%d-%s-%s.png", w.Columns, name, scheme))
		if err := os.WriteFile(path, picture.Bytes(), 0o644); err != nil {
			w.t.Fatal(err)
		}
	}
}

// lit says whether an LED of the device glows in a colour, judged by its middle.
func (w *watched) lit(row, column int, is func(c screen.Color) bool) bool {
	return is(w.Cells[row][column].Back) || is(w.Cells[row][column].Text)
}

func purple(c screen.Color) bool { return c.Set && c.R > 60 && c.B > 90 && c.G < 50 }

func TestTheDemonstration(t *testing.T) {
	for _, columns := range []int{80, 40} {
		t.Run(fmt.Sprint(columns), func(t *testing.T) {
			w := start(t, columns, 24)
			led4 := 80/2 - 54/2 + 3 + 4*6 + 2 // of the device in the middle
			if columns == 40 {
				led4 = 40/2 - 38/2 + 3 + 4*4 + 1
			}
			seen := w.until(func() bool {
				return strings.Contains(w.String(), "ssh_login") && strings.Contains(w.String(), "http_exploit") && w.lit(2, led4, purple)
			})
			if !seen {
				t.Fatalf("purple never lit, beside an exploit:\n%s", w)
			}
			w.shoot("running")
			if code := w.end(); code != 0 {
				t.Errorf("it ended with exit code %d", code)
			}
			w.shoot("end")
			for _, want := range []string{"demo: 55 attacks shown\n", "● SSH on", "  all ", "  55", "▀"} {
				if !strings.Contains(w.String(), want) {
					t.Errorf("%q does not stay:\n%s", want, w)
				}
			}
			if strings.Contains(w.String(), "level=") {
				t.Errorf("a log is in the picture:\n%s", w)
			}
		})
	}
}

func TestCtrlC(t *testing.T) {
	w := start(t, 80, 24)
	if !w.until(func() bool { return strings.Contains(w.String(), "ssh_login") }) {
		t.Fatalf("nothing was shown:\n%s", w)
	}
	if _, err := w.keys.WriteString("\x03"); err != nil {
		t.Fatal(err)
	}
	if code := w.end(); code != 0 {
		t.Errorf("Ctrl-C ended it with exit code %d", code)
	}
	w.shoot("ctrl-c")
	if text := w.String(); !strings.Contains(text, "● SSH on") || !strings.Contains(text, "\ndemo: stopped\n") || strings.Contains(text, "Error") {
		t.Errorf("after Ctrl-C there is\n%s", text)
	}
}
