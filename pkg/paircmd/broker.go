package paircmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/pialert/pialert/pkg/broker"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/control"
	"github.com/pialert/pialert/pkg/pairing"
)

// brokerTimeout is how long a broker may take to let a machine in.
const brokerTimeout = 15 * time.Second

// pairByBroker invites an agent that dials the same broker. Only the running program answers there.
func (p *program) pairByBroker(ctx context.Context, settings Settings, keyring *pairing.Keyring, console console) error {
	show := func(token string) {
		fmt.Fprintf(console.stderr, "Run this on the %s, whose configuration names the same broker, within ten minutes:\n\n", p.role.Other())
		fmt.Fprintf(console.stdout, "sudo %s join %s\n", p.there(), token)
		fmt.Fprintf(console.stderr, "\nWaiting until it was run; Ctrl-C withdraws it.\n")
	}
	request := inviteRequest{Ask: console.lines != nil}
	peer, err := p.pairByProgram(ctx, settings, request, console, show)
	if errors.Is(err, control.ErrNotRunning) {
		if err := keyring.Begin(); err != nil {
			return err
		}
		return cli.Hint(fmt.Errorf("by NATS the running %s answers, and it does not run", p.role), "%s", p.start())
	}
	return p.paired(ctx, settings, keyring, console, peer, err)
}

// joinByBroker redeems a display's token by the broker.
func (p *program) joinByBroker(ctx context.Context, stderr io.Writer, settings Settings, keyring *pairing.Keyring, token pairing.Token) error {
	if token.Role != pairing.Display {
		return cli.Hint(errors.New("the token is an agent's, and by NATS it is the display that invites"),
			"run sudo %s pair here, and paste on the agent what it prints", p.here())
	}
	conn, err := broker.Connect(*settings.Broker, broker.Options{Keyring: keyring, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer conn.Close()
	peer, err := Redeem(ctx, conn, keyring, token)
	if err != nil {
		return p.explain(err)
	}
	fmt.Fprintf(stderr, "Paired with %s %s by the broker.\n", peer.Role, peer.Name)
	settings.welcome(stderr, keyring, peer)
	running, err := settings.reload(ctx)
	if !running {
		fmt.Fprintf(stderr, "%s does not run yet; to start it: %s\n", p.here(), p.start())
	}
	return err
}

// Redeem redeems a token by a broker that may not be connected yet.
func Redeem(ctx context.Context, conn *broker.Conn, keyring *pairing.Keyring, token pairing.Token) (pairing.Peer, error) {
	connecting, cancel := context.WithTimeout(ctx, brokerTimeout)
	defer cancel()
	if err := conn.Await(connecting); err != nil {
		return pairing.Peer{}, fmt.Errorf("cannot reach the broker: %w", err)
	}
	return conn.Redeem(ctx, keyring, token)
}
