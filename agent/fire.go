package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/config"
)

// fireRequest asks for an event that a person fires.
type fireRequest struct {
	Kind     attack.Kind `json:"kind"`
	SourceIP netip.Addr  `json:"source_ip"`
	User     string      `json:"user"`
	Count    uint64      `json:"count"`   // attempts that it stands for
	Counted  bool        `json:"counted"` // as if it had happened
}

// event is what is sent of a request. The error says what is wrong with it.
func (r fireRequest) event(now time.Time) (*attack.Event, error) {
	e := &attack.Event{
		Kind: r.Kind, Severity: r.Kind.Severity(), Rule: "fire", Observed: now,
		SourceIP: r.SourceIP.WithZone("").Unmap(), User: r.User, Count: r.Count, Test: !r.Counted,
	}
	return e, e.Check()
}

// fire sends an event the whole way that one from a log takes, and returns once it is stored.
func (d *daemon) fire(ctx context.Context, r fireRequest) error {
	e, err := r.event(time.Now())
	if err != nil {
		return fmt.Errorf("cannot fire: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, fireTimeout, errors.New("it is not stored yet: pialert-agent status says what holds it up"))
	defer cancel()
	return d.commit(ctx, func(_ *detection, add func(*attack.Event)) { add(e) })
}

// fireTimeout is how long who fires an event waits for it to be stored, which takes milliseconds on a disk that is well.
const fireTimeout = 5 * time.Second

func fireCommand(s *settings) *cobra.Command {
	request := fireRequest{Count: 1}
	var source string
	command := &cobra.Command{
		Use:   "fire KIND",
		Short: "Send a test event the whole way to the lights",
		Long: `fire sends an event as if an attack had been found: it is stored, delivered, and lights the lamp
of its kind. It is marked as a test and enters no total, unless --counted is given.

The kinds are ` + strings.Join(attack.KindNames(), ", ") + `.`,
		Example: `  sudo pialert-agent fire ssh_login
  sudo pialert-agent fire wordpress_login --source-ip 203.0.113.7 --user admin --count 5`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.FixedCompletions(attack.KindNames(), cobra.ShellCompDirectiveNoFileComp),
		RunE: func(command *cobra.Command, args []string) (err error) {
			if request.Kind, err = attack.ParseKind(args[0]); err != nil {
				return &cli.UsageError{Err: fmt.Errorf("%w%s", err, config.Meant(args[0], attack.KindNames()))}
			}
			if source != "" {
				if request.SourceIP, err = netip.ParseAddr(source); err != nil {
					return &cli.UsageError{Err: cli.Hint(fmt.Errorf("--source-ip %q is no address", source), "give one such as 203.0.113.7")}
				}
			}
			if _, err := request.event(time.Now()); err != nil {
				return &cli.UsageError{Err: err}
			}
			if err := cli.Ask(command, s, "/fire", request, nil); err != nil {
				return err
			}
			fmt.Fprintf(command.OutOrStdout(), "fired %d × %s\n", request.Count, request.Kind)
			return nil
		},
	}
	flags := command.Flags()
	flags.StringVar(&source, "source-ip", "", "address that the event is from")
	flags.StringVar(&request.User, "user", "", "account that it tried")
	flags.Uint64Var(&request.Count, "count", request.Count, "attempts that it stands for")
	flags.BoolVar(&request.Counted, "counted", false, "add it to the totals, as if it had happened")
	return command
}
