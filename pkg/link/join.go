package link

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/pialert/pialert/pkg/pairing"
)

// Join redeems a token at the first of addresses where the token's machine answers, and stores
// them for dialling it later, that one first. It then opens a link as [Dialer.Run] will, so that
// nil means that the link works. Where the token was redeemed but that link fails, the error
// wraps [ErrNotVerified] and the peer is returned with it.
//
// The error joins one [AddressError] per address that was tried.
func (d *Dialer) Join(ctx context.Context, token pairing.Token, addresses []string) (pairing.Peer, error) {
	if err := d.Keyring.CheckToken(token); err != nil {
		return pairing.Peer{}, err
	}
	if len(addresses) == 0 {
		return pairing.Peer{}, errors.New("the token names no address: say how to reach the machine with --via")
	}
	var failed []error
	for rest := slices.Clone(addresses); len(rest) > 0; {
		conn, address, err := d.dialFirst(ctx, rest)
		if err != nil {
			return pairing.Peer{}, errors.Join(append(failed, err)...)
		}
		rest = slices.DeleteFunc(rest, func(a string) bool { return a == address })
		ordered := append([]string{address}, slices.DeleteFunc(slices.Clone(addresses), func(a string) bool { return a == address })...)
		peer, err := d.redeem(ctx, conn, token, ordered)
		if err == nil {
			return peer, d.verify(ctx, peer.Name)
		}
		failed = append(failed, &AddressError{address, err})
		if errors.Is(err, pairing.ErrJoinRefused) || errors.Is(err, pairing.ErrNoInvitation) {
			break // the right machine has answered
		}
	}
	return pairing.Peer{}, errors.Join(failed...)
}

// ErrNotVerified says that two machines are paired, but that the link between them failed.
var ErrNotVerified = errors.New("the machines are paired, but the link between them does not work yet")

func (d *Dialer) redeem(ctx context.Context, conn net.Conn, token pairing.Token, addresses []string) (pairing.Peer, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := time.AfterFunc(timeoutFor(addresses[0]), func() { cancel(context.DeadlineExceeded) })
	defer late.Stop()
	return d.Keyring.Join(ctx, conn, token, addresses, func() { late.Reset(pairing.AnswerTimeout + handshakeTimeout) })
}

func (d *Dialer) verify(ctx context.Context, name string) error {
	conn, err := d.open(ctx, name)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotVerified, err)
	}
	conn.Close() // it has worked, whoever ends it first
	return nil
}
