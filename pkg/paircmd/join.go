package paircmd

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/pkg/broker"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/link"
	"github.com/pialert/pialert/pkg/pairing"
)

// verifyWithin is how long pair waits, after its token was redeemed, for the link that join
// opens to check it.
const verifyWithin = 5 * time.Second

// askedAfter is when join says what it may be waiting for.
const askedAfter = 3 * time.Second

func awaitVerified(ctx context.Context, verified <-chan struct{}) {
	timer := time.NewTimer(verifyWithin)
	defer timer.Stop()
	select {
	case <-verified:
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (p *program) joinCommand() *cobra.Command {
	var via []string
	command := &cobra.Command{
		Use:   "join [TOKEN | -]",
		Short: fmt.Sprintf("Pair with the %s whose pair command printed TOKEN", p.role.Other()),
		Long: fmt.Sprintf(`join pairs this %[1]s with the %[2]s that printed TOKEN, tries the link, and remembers where the
%[2]s is reached: from then on this machine dials it. It ends when the link works, or with an
error that says what to open or repair.

Without TOKEN it asks for it on a terminal, and - reads it from standard input: so it stands in no
list of processes, no shell's history and no log of sudo.

The token names the addresses to try; --via names others. Through an SSH login where no port is
open, --via ssh://USER@HOST runs "pialert-agent relay" there.

Joining again with a new token changes the addresses of %[3]s that is paired already.`,
			p.role, p.role.Other(), aRole(p.role.Other())),
		Example: fmt.Sprintf(`  sudo %[1]s join
  sudo %[1]s join - < token
  sudo %[1]s join pialert1-AbCd...
  sudo %[1]s join pialert1-AbCd... --via server.example.org:7483
  sudo %[1]s join pialert1-AbCd... --via ssh://me@server.example.org`, p.here()),
		Args: cobra.ArbitraryArgs, // a terminal may have broken the token into several
		RunE: func(command *cobra.Command, args []string) error {
			text, err := p.token(command, args)
			if err != nil {
				return err
			}
			return p.join(command.Context(), command.ErrOrStderr(), text, via)
		},
	}
	command.Flags().StringArrayVar(&via, "via", nil, "how to reach it instead: HOST, HOST:PORT or ssh://USER@HOST; may be repeated")
	return command
}

// maxLine bounds what is read as a token, in bytes.
const maxLine = 16 << 10

// token returns the token that was given, or asks for it.
func (p *program) token(command *cobra.Command, args []string) (string, error) {
	if len(args) > 0 && (len(args) > 1 || args[0] != "-") {
		return strings.Join(args, ""), nil
	}
	in := bufio.NewReader(io.LimitReader(command.InOrStdin(), maxLine))
	if len(args) == 0 {
		console := p.console(command)
		if console.lines == nil {
			err := errors.New("there is no token, and no terminal to ask for it")
			return "", &cli.UsageError{Err: cli.Hint(err, "give - and the token on standard input")}
		}
		in = console.lines
		fmt.Fprintf(console.stderr, "Paste what sudo %s pair printed, then press Enter: ", p.there())
	}
	line, err := in.ReadString('\n')
	if err != nil && !(errors.Is(err, io.EOF) && line != "") {
		return "", fmt.Errorf("cannot read the token: %w", err)
	}
	words := strings.Fields(line)
	for i, word := range words { // the whole line may have been pasted
		if word == "join" {
			words = words[i+1:]
			break
		}
	}
	return strings.Join(words, ""), nil
}

func (p *program) join(ctx context.Context, stderr io.Writer, text string, via []string) error {
	if broker.IsEnrolment(text) {
		return p.enrol(ctx, stderr, text)
	}
	token, err := pairing.ParseToken(text)
	if err != nil {
		return &cli.UsageError{Err: cli.Hint(err, "on the %s, run: sudo %s pair", p.role.Other(), p.there())}
	}
	settings, keyring, err := p.open()
	if err != nil {
		return err
	}
	if settings.Broker != nil {
		return p.joinByBroker(ctx, stderr, settings, keyring, token)
	}
	addresses := token.Addresses
	if len(via) > 0 {
		addresses = nil
		for _, address := range via {
			addresses = append(addresses, link.WithPort(address, link.DefaultPort))
		}
	}
	for _, address := range addresses {
		if err := link.CheckAddress(address); err != nil {
			return err
		}
	}
	dialer := link.Dialer{Keyring: keyring, SSH: settings.SSH, Log: slog.New(slog.DiscardHandler)}
	notice := time.AfterFunc(askedAfter, func() {
		fmt.Fprintf(stderr, "Waiting for the %s: the question there may be whether this machine is welcome.\n", p.role.Other())
	})
	peer, err := dialer.Join(ctx, token, addresses)
	notice.Stop()
	if err != nil {
		return p.explain(err)
	}
	fmt.Fprintf(stderr, "Paired with %s %s at %s; the link works.\n", peer.Role, peer.Name, peer.Addresses[0])
	settings.welcome(stderr, keyring, peer)
	running, err := settings.reload(ctx)
	if !running {
		fmt.Fprintf(stderr, "%s does not run yet; to start it: %s\n", p.here(), p.start())
	}
	return err
}

// welcome prints what there is to say of a new peer.
func (s Settings) welcome(out io.Writer, keyring *pairing.Keyring, peer pairing.Peer) {
	if s.Welcome != nil && keyring.Reload() == nil {
		io.WriteString(out, s.Welcome(keyring.Peers(), peer.Name))
	}
}

// explain adds to the error of a join what to open or repair. Of several addresses the one that
// got furthest tells most.
func (p *program) explain(err error) error {
	var unresolved *net.DNSError
	var at *link.AddressError
	where := "the address"
	if errors.As(err, &at) {
		where = at.Address
	}
	again := fmt.Sprintf("sudo %s pair", p.there())
	var foreign tls.RecordHeaderError
	if errors.As(err, &foreign) {
		host, port, _ := net.SplitHostPort(where)
		hint := fmt.Sprintf("name the port that %s listens on, usually %s", p.there(), link.DefaultPort)
		if port == "22" {
			hint = fmt.Sprintf("port 22 is usually SSH's: --via ssh://USER@%s comes through it, and --via %[1]s to the port of PiAlert", host)
		}
		return cli.Hint(fmt.Errorf("at %s something answers that is not PiAlert", where), "%s", hint)
	}
	for _, known := range []struct {
		is   bool
		hint string
	}{
		{errors.Is(err, broker.ErrAway), fmt.Sprintf("see on the display that %s runs, with link.dial: nats and the same broker", p.there())},
		{errors.Is(err, link.ErrNotVerified), fmt.Sprintf("see %s peers; the running program goes on trying", p.here())},
		{errors.Is(err, pairing.ErrJoinRefused), fmt.Sprintf("when that is put right, run %s there for a new token", again)},
		{errors.Is(err, pairing.ErrNoInvitation), fmt.Sprintf("on the %s, run %s again and use the new line while it waits", p.role.Other(), again)},
		{errors.Is(err, pairing.ErrWrongKey), fmt.Sprintf("the token is an old one, or the address leads to another machine, or somebody is in the middle: run %s again, and --via the right address", again)},
		{strings.Contains(err.Error(), "ssh:"), "try the login by hand, as the user that runs this program: ssh USER@HOST pialert-agent relay"},
		{errors.Is(err, syscall.ECONNREFUSED), fmt.Sprintf("nothing listens there: is %s pair still waiting? A firewall may refuse too: open TCP port %s", p.there(), portOf(where))},
		{isTimeout(err), fmt.Sprintf("no answer: open TCP port %s in the firewall of the machine and of its provider (there: sudo ufw allow %[1]s/tcp), or name a better address with --via", portOf(where))},
		{errors.As(err, &unresolved), "the name is unknown: check its spelling and this machine's DNS, or use an IP address with --via"},
		{errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EHOSTUNREACH), "there is no way to that address from here: is this machine online? Name another address with --via"},
	} {
		if known.is {
			return cli.Hint(err, "%s", known.hint)
		}
	}
	return err
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout() ||
		errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}

func portOf(address string) string {
	if _, port, err := net.SplitHostPort(address); err == nil {
		return port
	}
	return link.DefaultPort
}
