package responder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/pialert/pialert/pkg/control"
)

// unbanRequest names whom to let in again.
type unbanRequest struct {
	Target netip.Prefix `json:"target"`
}

// namesRequest says what names of the allow list were found to have.
type namesRequest struct {
	Addresses map[string][]netip.Addr `json:"addresses"`
}

type pauseRequest struct {
	For time.Duration `json:"for"`
}

// accepted is a ban, and whether it was not there before.
type accepted struct {
	Ban
	Fresh bool `json:"fresh"`
}

// flushed says how many bans were lifted.
type flushed struct {
	Bans int `json:"bans"`
}

// Handler answers what comes over the socket.
func (r *Responder) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /ban", control.Handle(func(_ context.Context, in Request) (accepted, error) {
		ban, fresh, err := r.Ban(in)
		return accepted{ban, fresh}, err
	}))
	mux.Handle("POST /unban", control.Handle(func(_ context.Context, in unbanRequest) (Ban, error) { return r.Unban(in.Target) }))
	mux.Handle("POST /bans", control.Stream(func(_ context.Context, _ struct{}, out control.Flusher) error {
		encoder := json.NewEncoder(out)
		for _, ban := range r.Bans() {
			if err := encoder.Encode(ban); err != nil {
				return err
			}
		}
		return nil
	}))
	mux.Handle("POST /status", control.Handle(func(context.Context, struct{}) (Status, error) { return r.Status(), nil }))
	mux.Handle("POST /flush", control.Handle(func(context.Context, struct{}) (flushed, error) {
		n, err := r.Flush()
		return flushed{n}, err
	}))
	mux.Handle("POST /pause", control.Handle(func(_ context.Context, in pauseRequest) (struct{}, error) {
		if in.For < 0 || in.For > maxPause {
			return struct{}{}, fmt.Errorf("%w: a pause of %s is not between 0 and %s", ErrRefused, in.For, maxPause)
		}
		return struct{}{}, r.Pause(in.For)
	}))
	mux.Handle("POST /names", control.Handle(func(_ context.Context, in namesRequest) (struct{}, error) {
		return struct{}{}, r.Tell(in.Addresses)
	}))
	return mux
}

// Client speaks to a running responder.
type Client struct{ Socket string }

// call asks for an answer. An error comes over the socket as its text, in which [ErrRefused] and
// [ErrNotBanned] are found again.
func (c Client) call(ctx context.Context, path string, in, out any) error {
	err := control.Client{Path: c.Socket}.Call(ctx, path, in, out)
	if err == nil {
		return nil
	}
	if why, ok := strings.CutPrefix(err.Error(), ErrRefused.Error()); ok {
		return fmt.Errorf("%w%s", ErrRefused, why)
	}
	if what, ok := strings.CutSuffix(err.Error(), ErrNotBanned.Error()); ok {
		return fmt.Errorf("%s%w", what, ErrNotBanned)
	}
	return err
}

// Ban hands a decision over, as [Responder.Ban] takes it.
func (c Client) Ban(ctx context.Context, r Request) (ban Ban, fresh bool, err error) {
	var out accepted
	err = c.call(ctx, "/ban", r, &out)
	return out.Ban, out.Fresh, err
}

// Unban lets a target in again.
func (c Client) Unban(ctx context.Context, target netip.Prefix) (ban Ban, err error) {
	return ban, c.call(ctx, "/unban", unbanRequest{target}, &ban)
}

// Bans visits what is banned, by its end, until visit fails.
func (c Client) Bans(ctx context.Context, visit func(Listed) error) error {
	answer, err := control.Client{Path: c.Socket}.Open(ctx, "/bans", nil)
	if err != nil {
		return err
	}
	defer answer.Close()
	return ReadBans(answer, visit)
}

// ReadBans reads a list of bans as the socket gives it: one object after another.
func ReadBans(list io.Reader, visit func(Listed) error) error {
	for decoder := json.NewDecoder(list); ; {
		var ban Listed
		if err := decoder.Decode(&ban); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("cannot read the bans: %w", err)
		}
		if err := visit(ban); err != nil {
			return err
		}
	}
}

// Status says how the responder fares.
func (c Client) Status(ctx context.Context) (status Status, err error) {
	return status, c.call(ctx, "/status", nil, &status)
}

// Flush lets everybody in again.
func (c Client) Flush(ctx context.Context) (int, error) {
	var out flushed
	err := c.call(ctx, "/flush", nil, &out)
	return out.Bans, err
}

// Pause has nothing in force for a while.
func (c Client) Pause(ctx context.Context, span time.Duration) error {
	return c.call(ctx, "/pause", pauseRequest{span}, nil)
}

// Tell hands over what names of the allow list were found to have.
func (c Client) Tell(ctx context.Context, found map[string][]netip.Addr) error {
	return c.call(ctx, "/names", namesRequest{found}, nil)
}
