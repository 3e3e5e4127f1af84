package paircmd

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/pialert/pialert/pkg/escape"
	"github.com/pialert/pialert/pkg/pairing"
)

// console is what a command speaks and listens by.
type console struct {
	stdout, stderr io.Writer
	lines          *bufio.Reader // what a person types; nil if nobody does
}

// console returns that of a command.
func (p *program) console(command *cobra.Command) console {
	c := console{stdout: command.OutOrStdout(), stderr: command.ErrOrStderr()}
	in := command.InOrStdin()
	if file, ok := in.(*os.File); !ok && in != nil || ok && term.IsTerminal(int(file.Fd())) {
		c.lines = bufio.NewReader(in)
	}
	return c
}

// answer asks the person about everybody who comes with the token, until ctx or the invitation ends.
func (c console) answer(ctx context.Context, asked func(context.Context) (pairing.Candidate, error), reply func(context.Context, bool) error) {
	for {
		candidate, err := asked(ctx)
		if err != nil {
			return // whoever waits for the invitation says why
		}
		fmt.Fprintf(c.stderr, "\n%s %s at %s has the line, and the key\n%s.\nPair with it? [y/N] ",
			candidate.Role, escape.Text(candidate.Name), escape.Text(candidate.From), candidate.Key)
		line, _ := c.lines.ReadString('\n')
		word := strings.ToLower(strings.TrimSpace(line))
		if reply(ctx, word == "y" || word == "yes") != nil {
			fmt.Fprintln(c.stderr, "It has gone. Waiting for another one.")
		}
	}
}
