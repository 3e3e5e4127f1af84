package paircmd

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/pialert/pialert/pkg/control"
	"github.com/pialert/pialert/pkg/link"
	"github.com/pialert/pialert/pkg/pairing"
)

// Paths of the control socket.
const (
	pathInvite   = "/pairing/invite"
	pathRedeemed = "/pairing/redeemed"
	pathWithdraw = "/pairing/withdraw"
	pathAsked    = "/pairing/asked"
	pathAnswer   = "/pairing/answer"
	pathReload   = "/pairing/reload"
	pathLinks    = "/pairing/links"
)

type inviteRequest struct {
	Addresses []string `json:"addresses"`
	Ask       bool     `json:"ask,omitempty"` // before anybody is paired
}

type answer struct {
	token
	Welcome bool `json:"welcome"`
}

type token struct {
	Token string `json:"token"`
}

// Handle lets the running program answer the commands. States returns how its links stand.
func Handle(mux *http.ServeMux, keyring *pairing.Keyring, invitations *pairing.Invitations, states func() []link.State) {
	mux.Handle("POST "+pathInvite, control.Handle(func(_ context.Context, in inviteRequest) (token, error) {
		made, _, err := invite(keyring, invitations, in)
		return token{made.String()}, err
	}))
	mux.Handle("POST "+pathRedeemed, control.Handle(func(ctx context.Context, in token) (pairing.Peer, error) {
		invitation, err := in.find(invitations)
		if err != nil {
			return pairing.Peer{}, err
		}
		return invitation.Wait(ctx)
	}))
	mux.Handle("POST "+pathWithdraw, control.Handle(func(_ context.Context, in token) (struct{}, error) {
		invitation, err := in.find(invitations)
		if err == nil {
			invitation.Withdraw()
		}
		return struct{}{}, nil // if it is gone, that is as well
	}))
	mux.Handle("POST "+pathAsked, control.Handle(func(ctx context.Context, in token) (pairing.Candidate, error) {
		invitation, err := in.find(invitations)
		if err != nil {
			return pairing.Candidate{}, err
		}
		return invitation.Asked(ctx)
	}))
	mux.Handle("POST "+pathAnswer, control.Handle(func(ctx context.Context, in answer) (struct{}, error) {
		invitation, err := in.find(invitations)
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, invitation.Answer(ctx, in.Welcome)
	}))
	mux.Handle("POST "+pathReload, control.Handle(func(context.Context, struct{}) (struct{}, error) {
		return struct{}{}, keyring.Reload()
	}))
	mux.Handle("POST "+pathLinks, control.Handle(func(context.Context, struct{}) ([]link.State, error) {
		return states(), nil
	}))
}

func (t token) find(invitations *pairing.Invitations) (*pairing.Invitation, error) {
	parsed, err := pairing.ParseToken(t.Token)
	if err != nil {
		return nil, err
	}
	return invitations.Find(parsed.Secret)
}

// invite makes an invitation and its token.
func invite(keyring *pairing.Keyring, invitations *pairing.Invitations, request inviteRequest) (pairing.Token, *pairing.Invitation, error) {
	invitation, err := invitations.Invite()
	if err != nil {
		return pairing.Token{}, nil, err
	}
	if request.Ask {
		invitation.Ask()
	}
	return pairing.Token{
		Role: keyring.Role(), Name: keyring.Name(), Key: keyring.Key(),
		Secret: invitation.Secret, Addresses: request.Addresses,
	}, invitation, nil
}

// reload tells the running program that the state directory has changed, and says whether one
// runs.
func (s Settings) reload(ctx context.Context) (running bool, err error) {
	err = s.call(ctx, pathReload, nil, nil)
	if errors.Is(err, control.ErrNotRunning) {
		return false, nil
	}
	if err != nil {
		return true, fmt.Errorf("this is stored, but the running program could not be told: %w", err)
	}
	return true, nil
}

func (s Settings) call(ctx context.Context, path string, in, out any) error {
	if s.Control == "" {
		return control.ErrNotRunning
	}
	return control.Client{Path: s.Control}.Call(ctx, path, in, out)
}
