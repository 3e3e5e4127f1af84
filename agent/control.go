package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/control"
	"github.com/pialert/pialert/pkg/paircmd"
)

// controls is what commands can ask of the running agent.
func (d *daemon) controls() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /status", control.Handle(func(context.Context, struct{}) (Status, error) { return d.status(), nil }))
	mux.Handle("POST /test", control.Handle(func(_ context.Context, in testRequest) (struct{}, error) { return struct{}{}, d.test(in) }))
	paircmd.Handle(mux, d.keyring, d.invitations, d.states)
	return mux
}

// testRequest asks for an event that a person fires.
type testRequest struct {
	Kind  attack.Kind `json:"kind"`
	Count int         `json:"count"` // how many
}

const maxTests = 1000

// test fires events that light a lamp and are counted nowhere but as tests.
func (d *daemon) test(request testRequest) error {
	if !request.Kind.Valid() {
		return errors.New("a test needs a kind")
	}
	if request.Count < 1 || request.Count > maxTests {
		return fmt.Errorf("%d tests: fire 1 to %d", request.Count, maxTests)
	}
	for range request.Count {
		d.current().pipeline.fire(&attack.Event{
			Kind: request.Kind, Severity: request.Kind.Severity(), Rule: "test", Observed: time.Now(), Count: 1, Test: true,
		})
	}
	return nil
}

func testCommand(s *settings) *cobra.Command {
	kind := attack.SSHLogin.String()
	count := 1
	command := &cobra.Command{
		Use:   "test",
		Short: "Fire a test event: the lamp of its kind lights, no attack is counted",
		Example: `  pialert-agent test
  pialert-agent test --kind wordpress_login --count 5`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			cfg, err := s.load()
			if err != nil {
				return err
			}
			request := testRequest{Count: count}
			if request.Kind, err = attack.ParseKind(kind); err != nil {
				return err
			}
			if err := call(command.Context(), cfg, "/test", request, nil); err != nil {
				return err
			}
			fmt.Fprintf(command.OutOrStdout(), "fired %d × %s\n", count, kind)
			return nil
		},
	}
	command.Flags().StringVar(&kind, "kind", kind, "kind of the event")
	command.Flags().IntVar(&count, "count", count, "how many events")
	return command
}
