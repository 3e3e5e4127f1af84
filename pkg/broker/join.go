package broker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/pialert/pialert/pkg/pairing"
)

// askTimeout is how long a question may take, keyTries how often it is asked, askPause the time between.
const (
	askTimeout = 5 * time.Second
	askPause   = time.Second
	keyTries   = 6
)

// ErrAway says that a display does not answer, though the broker does.
var ErrAway = errors.New("the display does not answer by the broker")

// Redeem redeems the token of a display, and pairs with it. Its owner may be asked, which takes up to
// [pairing.AnswerTimeout].
func (c *Conn) Redeem(ctx context.Context, keyring *pairing.Keyring, token pairing.Token) (pairing.Peer, error) {
	display := DisplayID(token.Key)
	key, err := c.PublicKey(ctx, display)
	if err != nil {
		return pairing.Peer{}, err
	}
	subject := Subject(Join, display, c.ID)
	request, err := keyring.WriteJoin(token, key, subject)
	if err != nil {
		return pairing.Peer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, pairing.AnswerTimeout+askTimeout)
	defer cancel()
	answer, err := c.RequestWithContext(ctx, subject, request)
	if err != nil {
		return pairing.Peer{}, fmt.Errorf("%w: %w", ErrAway, err)
	}
	return keyring.FinishJoin(token, answer.Data, JoinReply(display, c.ID))
}

// JoinReply is what the answer to a request to join is sealed for.
func JoinReply(display, agent ID) string { return Subject(Join, agent, display) + ".reply" }

// PublicKey asks a display for its public key. It is the one that the display is known by, whoever
// answers.
func (c *Conn) PublicKey(ctx context.Context, display ID) (key pairing.PublicKey, err error) {
	for range keyTries {
		var answer *nats.Msg
		asking, cancel := context.WithTimeout(ctx, askTimeout)
		answer, err = c.RequestWithContext(asking, Of(Key, display), nil)
		cancel()
		if err == nil && len(answer.Data) == len(key) {
			copy(key[:], answer.Data)
			if DisplayID(key.Fingerprint()) == display {
				return key, nil
			}
			err = fmt.Errorf("%w: %s", pairing.ErrWrongKey, key.Fingerprint())
		}
		select {
		case <-time.After(askPause): // it may be starting
		case <-ctx.Done():
			return key, fmt.Errorf("%w: %w", ErrAway, context.Cause(ctx))
		}
	}
	if err == nil {
		err = errors.New("what it tells is no key")
	}
	return key, fmt.Errorf("%w: %w", ErrAway, err)
}
