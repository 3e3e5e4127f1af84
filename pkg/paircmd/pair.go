package paircmd

import (
	"context"
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

	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/control"
	"github.com/pialert/pialert/pkg/link"
	"github.com/pialert/pialert/pkg/pairing"
	"github.com/pialert/pialert/pkg/private"
)

func (p *program) pairCommand() *cobra.Command {
	var addresses []string
	var yes bool
	command := &cobra.Command{
		Use:   "pair",
		Short: fmt.Sprintf("Print the line that pairs %s with this %s", aRole(p.role.Other()), p.role),
		Long: fmt.Sprintf(`pair invites one %[1]s: it prints one line to paste there, and waits until that line was run.

The line works once, for ten minutes, and only as long as this command waits; Ctrl-C withdraws
it. It holds the fingerprint of this machine's key, so nobody in between can use it, and a
one-time secret, so keep it from others until it was used. On a terminal pair shows who came with it
and asks before it pairs; --yes takes whoever comes first.

The %[1]s must be able to reach this machine. The line names this machine's own addresses unless
--address, or the configuration, names a better one, as it must behind a router.`, p.role.Other()),
		Example: fmt.Sprintf(`  sudo %[1]s pair
  sudo %[1]s pair --address server.example.org
  sudo %[1]s pair --address 203.0.113.5:7483 --address [2001:db8::5]:7483`, p.here()),
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			console := p.console(command)
			if yes {
				console.lines = nil
			}
			return p.pair(command.Context(), console, addresses)
		},
	}
	command.Flags().BoolVar(&yes, "yes", false, "pair with whoever comes with the line, without asking")
	command.Flags().StringArrayVar(&addresses, "address", nil, "where this machine is reached: HOST, HOST:PORT or ssh://USER@HOST; may be repeated")
	return command
}

func (p *program) pair(ctx context.Context, console console, addresses []string) error {
	stderr := console.stderr
	settings, keyring, err := p.open()
	if err != nil {
		return err
	}
	if settings.Broker != nil {
		if p.role == pairing.Agent {
			return cli.Hint(errors.New("by NATS it is the display that invites"), "run sudo %s pair on the display, and paste here what it prints", p.there())
		}
		return p.pairByBroker(ctx, settings, keyring, console)
	}
	if len(settings.Listen) == 0 {
		return cli.Hint(fmt.Errorf("this %s dials and does not listen, so nobody can come to it", p.role),
			"run sudo %s pair on the other machine and sudo %s join here, or change who dials in the configuration", p.there(), p.here())
	}
	if addresses, err = p.announced(settings, addresses, stderr); err != nil {
		return err
	}
	show := func(token string) {
		fmt.Fprintf(stderr, "Run this on the %s within ten minutes:\n\n", p.role.Other())
		fmt.Fprintf(console.stdout, "sudo %s join %s\n", p.there(), token)
		fmt.Fprintf(stderr, "\nIt will try %s: a firewall here must let that in.\nWaiting until it was run; Ctrl-C withdraws it.\n",
			strings.Join(addresses, ", "))
	}
	running := true
	request := inviteRequest{Addresses: addresses, Ask: console.lines != nil}
	peer, err := p.pairByProgram(ctx, settings, request, console, show)
	if errors.Is(err, control.ErrNotRunning) {
		running = false
		peer, err = p.pairAlone(ctx, settings, keyring, request, console, show)
	}
	if err := p.paired(ctx, settings, keyring, console, peer, err); err != nil {
		return err
	}
	if !running {
		fmt.Fprintf(stderr, "%s does not run yet; to start it: %s\n", p.here(), p.start())
	}
	return nil
}

// paired says what became of an invitation.
func (p *program) paired(ctx context.Context, settings Settings, keyring *pairing.Keyring, console console, peer pairing.Peer, err error) error {
	switch {
	case ctx.Err() != nil:
		return errors.New("the line was withdrawn before anybody ran it")
	case errors.Is(err, pairing.ErrRefusedHere):
		return cli.Hint(err, "if somebody else has seen the line, nothing is lost: run sudo %s pair again", p.here())
	case errors.Is(err, pairing.ErrExpired):
		return cli.Hint(err, "run sudo %s pair again", p.here())
	case err != nil:
		return err
	}
	fmt.Fprintf(console.stderr, "Paired with %s %s, key %s.\n", peer.Role, peer.Name, peer.Key)
	settings.welcome(console.stderr, keyring, peer)
	return nil
}

// pairByProgram lets the running program invite.
func (p *program) pairByProgram(ctx context.Context, settings Settings, request inviteRequest, console console, show func(string)) (peer pairing.Peer, err error) {
	var made token
	if err := settings.call(ctx, pathInvite, request, &made); err != nil {
		return peer, err
	}
	show(made.Token)
	asking, stop := context.WithCancel(ctx)
	defer stop()
	if request.Ask {
		go console.answer(asking, func(ctx context.Context) (candidate pairing.Candidate, err error) {
			return candidate, settings.call(ctx, pathAsked, made, &candidate)
		}, func(ctx context.Context, welcome bool) error {
			return settings.call(ctx, pathAnswer, answer{made, welcome}, nil)
		})
	}
	err = settings.call(ctx, pathRedeemed, made, &peer)
	if ctx.Err() != nil {
		atOnce, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		err = errors.Join(err, settings.call(atOnce, pathWithdraw, made, nil))
	}
	for _, known := range []error{pairing.ErrRefusedHere, pairing.ErrExpired} { // which come as text
		if err != nil && err.Error() == known.Error() {
			err = known
		}
	}
	return peer, err
}

// pairAlone listens itself, as the program would.
func (p *program) pairAlone(ctx context.Context, settings Settings, keyring *pairing.Keyring, request inviteRequest, console console, show func(string)) (pairing.Peer, error) {
	done, err := private.Dir(settings.State).TryLock(waiting) // the program, if it is started meanwhile, sees who has its port
	if errors.Is(err, private.ErrLocked) {
		return pairing.Peer{}, cli.Hint(fmt.Errorf("another %s pair waits already", p.here()),
			"run its line on the %s, or end it with Ctrl-C and try again", p.role.Other())
	}
	if err != nil {
		return pairing.Peer{}, err
	}
	defer done()
	sockets, err := link.Listen(ctx, settings.Listen...)
	if err != nil {
		return pairing.Peer{}, err
	}
	var invitations pairing.Invitations
	made, invitation, err := invite(keyring, &invitations, request)
	if err != nil {
		return pairing.Peer{}, err
	}
	listener := link.Listener{Keyring: keyring, Invitations: &invitations, Log: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	verified := make(chan struct{}, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- listener.Run(ctx, sockets, func(context.Context, *link.Conn) error {
			select {
			case verified <- struct{}{}:
			default:
			}
			return nil
		})
	}()
	show(made.String())
	if request.Ask {
		go console.answer(ctx, invitation.Asked, invitation.Answer)
	}
	peer, err := invitation.Wait(ctx)
	if err == nil {
		awaitVerified(ctx, verified)
	}
	cancel()
	return peer, errors.Join(err, <-ended)
}

// waiting is the file in the state folder that a pair command holds while it listens itself.
const waiting = "pair.lock"

// Explain adds to a program's failure to listen that its own pair command has the port, if it has.
func Explain(err error, role pairing.Role, state string) error {
	if !errors.Is(err, syscall.EADDRINUSE) {
		return err
	}
	done, lockErr := private.Dir(state).TryLock(waiting)
	if lockErr == nil {
		done()
	}
	if !errors.Is(lockErr, private.ErrLocked) {
		return err
	}
	return fmt.Errorf("%s pair waits on this port: run its line on the %s, or end it with Ctrl-C; then this starts by itself", name(role), role.Other())
}

// announced returns the addresses for the token: those that were asked for, or the configured
// one, or what the interfaces have.
func (p *program) announced(settings Settings, asked []string, stderr io.Writer) ([]string, error) {
	if len(asked) == 0 && settings.Address != "" {
		asked = []string{settings.Address}
	}
	for i, address := range asked {
		asked[i] = withPortOf(address, settings.Listen)
		if err := link.CheckAddress(asked[i]); err != nil {
			return nil, err
		}
	}
	if len(asked) > 0 {
		return asked, nil
	}
	interfaces, err := link.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("cannot find out this machine's addresses: %w", err)
	}
	var found []string
	public := false
	for _, listen := range settings.Listen {
		addresses, here := reachable(listen, interfaces)
		found, public = append(found, addresses...), public || here
	}
	if len(found) == 0 {
		return nil, cli.Hint(errors.New("this machine has no address but its own loopback"),
			"connect it to a network, or say where it is reached with --address HOST")
	}
	if !public {
		fmt.Fprintf(stderr, "Note: this machine has no public address, so the line works on the same network only.\n"+
			"If it is reached from elsewhere, say where: %s pair --address HOST\n\n", p.here())
	}
	return found[:min(len(found), pairing.MaxAddresses)], nil
}

// reachable returns how others reach one of our sockets: a Unix socket through SSH, as whoever
// runs this command.
func reachable(listen string, interfaces []link.Interface) ([]string, bool) {
	if !strings.HasPrefix(listen, "unix:") {
		return link.Reachable(listen, interfaces)
	}
	user := os.Getenv("SUDO_USER")
	if user == "" {
		user = os.Getenv("USER")
	}
	hosts, public := link.Reachable(":22", interfaces)
	for i, host := range hosts {
		host = strings.TrimSuffix(host, ":22")
		if user != "" {
			host = user + "@" + host
		}
		hosts[i] = "ssh://" + host
	}
	return hosts, public
}

// withPortOf completes an address with the port that the program listens on.
func withPortOf(address string, listens []string) string {
	for _, listen := range listens {
		if _, port, err := net.SplitHostPort(listen); err == nil && !strings.HasPrefix(listen, "unix:") {
			return link.WithPort(address, port)
		}
	}
	return link.WithPort(address, link.DefaultPort)
}
