package terminal

import (
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Screen is what an output can do.
type Screen struct {
	// Live says that it is a terminal that can be painted on.
	Live bool
	// Colors is how many it has.
	Colors Colors
	// Size returns its columns and rows; nil or zeros stand for 80 and 24.
	Size func() (columns, rows int)
}

// Examine finds out what a file can do. env is os.Getenv: TERM, COLORTERM and NO_COLOR
// (https://no-color.org) are looked at.
func Examine(out *os.File, env func(string) string) Screen {
	term := env("TERM")
	if _, err := unix.IoctlGetTermios(int(out.Fd()), unix.TCGETS); err != nil || term == "" || term == "dumb" {
		return Screen{}
	}
	s := Screen{Live: true, Colors: Colors16}
	s.Size = func() (columns, rows int) {
		size, err := unix.IoctlGetWinsize(int(out.Fd()), unix.TIOCGWINSZ)
		if err != nil {
			return 0, 0
		}
		return int(size.Col), int(size.Row)
	}
	switch depth := env("COLORTERM"); {
	case env("NO_COLOR") != "":
		s.Colors = NoColors
	case depth == "truecolor" || depth == "24bit" || strings.HasSuffix(term, "-direct"):
		s.Colors = TrueColor
	case strings.Contains(term, "256color"):
		s.Colors = Colors256
	}
	return s
}

// What opens the screen (alternate screen, no cursor, no wrapping of long lines), and closes it
// again. The codes are those of xterm's documentation of control sequences, which terminals
// share.
const (
	enter = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
	leave = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"
)

// silence keeps keys that are typed from spoiling the picture, and returns what undoes that.
// Signals such as Ctrl-C go on working. It does nothing in the background, where the kernel
// stops programs that change the terminal.
func silence(out io.Writer) (restore func()) {
	restore = func() {}
	file, ok := out.(*os.File)
	if !ok {
		return restore
	}
	fd := int(file.Fd())
	front, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	if err != nil || front != unix.Getpgrp() {
		return restore
	}
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return restore
	}
	quiet := *before
	quiet.Lflag &^= unix.ECHO
	quiet.Cc[unix.VSUSP] = 0 // Ctrl-Z would leave the shell with a screen that is not its own
	if unix.IoctlSetTermios(fd, unix.TCSETS, &quiet) != nil {
		return restore
	}
	// What was typed meanwhile is not for the shell: TCSETSF drops it.
	return func() { unix.IoctlSetTermios(fd, unix.TCSETSF, before) }
}
