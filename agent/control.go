package main

import (
	"context"
	"net/http"

	"github.com/pialert/pialert/pkg/control"
	"github.com/pialert/pialert/pkg/paircmd"
)

// controls is what commands can ask of the running agent.
func (d *daemon) controls() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /status", control.Handle(func(context.Context, struct{}) (Status, error) { return d.status(), nil }))
	mux.Handle("POST /fire", control.Handle(func(ctx context.Context, in fireRequest) (struct{}, error) { return struct{}{}, d.fire(ctx, in) }))
	d.banControls(mux)
	paircmd.Handle(mux, d.keyring, d.invitations, d.states)
	return mux
}
