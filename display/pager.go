package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/escape"
)

// pager starts what a person reads long texts with: $PAGER, or less, as git does it. What is written
// goes there; finish waits until the person has read it. Ctrl-C is the pager's from then on. Without a pager, or
// with an empty $PAGER, it goes to standard output.
func pager() (out io.Writer, finish func() error, err error) {
	name, chosen := os.LookupEnv("PAGER")
	if !chosen {
		name = "less"
	}
	words := strings.Fields(name)
	if len(words) == 0 || name == "cat" {
		return os.Stdout, func() error { return nil }, nil
	}
	if _, err := exec.LookPath(words[0]); err != nil {
		return os.Stdout, func() error { return nil }, nil
	}
	command := exec.Command("sh", "-c", name)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	command.Env = os.Environ()
	if _, chosen := os.LookupEnv("LESS"); !chosen {
		command.Env = append(command.Env, "LESS=FRX") // quit if it fits, keep colours, do not clear
	}
	in, err := command.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := command.Start(); err != nil {
		return nil, nil, err
	}
	signal.Ignore(os.Interrupt) // less ends a search by it; to kill it would leave the terminal as less has set it
	return in, func() error { return errors.Join(in.Close(), command.Wait()) }, nil
}

// leave tells what went wrong, which a reader that has seen enough is not.
func leave(ctx context.Context, problems ...error) error {
	err := errors.Join(problems...)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, os.ErrClosed) || ctx.Err() != nil {
		return nil
	}
	return err
}

// cell makes text of an attacker's fit for a cell of a spreadsheet, which would run it as a formula
// if it began like one (OWASP, CSV Injection), and for a terminal, on which a line of CSV may be looked at.
func cell(text string) string {
	text = escape.Text(text)
	if text != "" && strings.ContainsRune("=+-@", rune(text[0])) {
		return "'" + text
	}
	return text
}

// stopped says that the service ended while a command followed it.
func stopped() error {
	return cli.Hint(errors.New("the display has stopped"), "see why with: sudo systemctl status %s", program)
}
