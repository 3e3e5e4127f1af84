package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/display/internal/fleet"
	"github.com/pialert/pialert/display/internal/receive/nats"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/escape"
	"github.com/pialert/pialert/pkg/plural"
)

// FleetStatus is how the agents of a display are, those first that somebody should look at.
type FleetStatus struct {
	Paired   int            `json:"paired"`
	Silent   int            `json:"silent"`
	Behind   int            `json:"behind"`
	Dropped  int            `json:"dropped"` // agents that had to drop events
	Invited  int            `json:"invited"` // agents that have not come yet
	Versions map[string]int `json:"versions"`
	Broker   *nats.Status   `json:"broker,omitempty"`
	Agents   []FleetAgent   `json:"agents"`
}

// FleetAgent is how one agent is.
type FleetAgent struct {
	Name    string    `json:"name"`
	State   string    `json:"state"` // up, silent, cut off or never heard
	Heard   time.Time `json:"last_heard,omitzero"`
	Waiting uint64    `json:"waiting"` // events that it has and this display does not
	Dropped uint64    `json:"dropped"` // attempts that it had to drop
	Version string    `json:"version,omitempty"`
	Error   string    `json:"error,omitempty"`
}

// behindAbove is how many waiting events are more than those that are under way at any moment.
const behindAbove = 1000

// fleetStatus looks at every agent.
func (d *daemon) fleetStatus() FleetStatus {
	now := time.Now()
	status := FleetStatus{Versions: map[string]int{}, Agents: []FleetAgent{}}
	if d.broker != nil {
		brokered := d.broker.Status()
		status.Broker = &brokered
	}
	if authority, err := fleet.Open(fleetDir(d.configuration())); err == nil {
		if pending, err := authority.Pending(now); err == nil {
			status.Invited = len(pending)
		}
	}
	streams := d.streams()
	for _, agent := range d.agents(now) {
		stream := streams[agent.Name]
		one := FleetAgent{
			Name: agent.Name, State: "up", Heard: agent.Heard, Waiting: stream.Waiting,
			Dropped: max(agent.Dropped.Attempts, stream.Dropped.Attempts), Version: agent.Version, Error: agent.Error,
		}
		switch {
		case agent.Error != "":
			one.State = "cut off"
		case agent.Heard.IsZero():
			one.State = "never heard"
		case !agent.Connected:
			one.State = "silent"
		}
		status.Paired++
		if one.State != "up" {
			status.Silent++
		}
		if one.Waiting > behindAbove {
			status.Behind++
		}
		if one.Dropped > 0 {
			status.Dropped++
		}
		if one.Version != "" {
			status.Versions[one.Version]++
		}
		status.Agents = append(status.Agents, one)
	}
	slices.SortStableFunc(status.Agents, func(a, b FleetAgent) int {
		return cmp.Or(cmp.Compare(b.trouble(), a.trouble()), cmp.Compare(b.Waiting, a.Waiting), cmp.Compare(a.Name, b.Name))
	})
	return status
}

// trouble says how much somebody should look at an agent.
func (a FleetAgent) trouble() int {
	switch {
	case a.State == "cut off":
		return 4
	case a.State != "up":
		return 3
	case a.Dropped > 0:
		return 2
	case a.Waiting > behindAbove:
		return 1
	}
	return 0
}

func fleetStatusCommand(s *settings) *cobra.Command {
	var format string
	var all bool
	command := &cobra.Command{
		Use:   "status",
		Short: "Say which agents are behind, silent or old, or had to drop events",
		Example: `  pialert-display fleet status
  pialert-display fleet status --all
  pialert-display fleet status --format json | jq '.agents[] | select(.state != "up") | .name'`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			var status FleetStatus
			if err := cli.Ask(command, s, "/fleet", nil, &status); err != nil {
				return err
			}
			if format == "json" {
				return cli.WriteJSON(command.OutOrStdout(), status)
			}
			return status.write(command.OutOrStdout(), time.Now(), all)
		},
	}
	cli.FormatFlag(command, &format)
	command.Flags().BoolVar(&all, "all", false, "list every agent, not only those in trouble")
	return command
}

// write prints the status for people.
func (s FleetStatus) write(out io.Writer, now time.Time, all bool) error {
	fmt.Fprintf(out, "%s: %d up, %d not heard, %d behind, %d dropped events; %d invited\n",
		plural.Count(s.Paired, "agent"), s.Paired-s.Silent, s.Silent, s.Behind, s.Dropped, s.Invited)
	for _, version := range slices.Sorted(maps.Keys(s.Versions)) {
		fmt.Fprintf(out, "  %d run %s\n", s.Versions[version], version)
	}
	if b := s.Broker; b != nil {
		switch {
		case b.Error != "":
			fmt.Fprintf(out, "broker: %s\n", escape.Text(b.Error))
		case b.Server == "":
			fmt.Fprintln(out, "broker: not connected")
		default:
			fmt.Fprintf(out, "broker: connected to %s\n", escape.Text(b.Server))
		}
		if b.Frail != "" {
			fmt.Fprintf(out, "  acknowledged: stored is not safe there: %s\n", escape.Text(b.Frail))
		}
		for _, one := range b.Others {
			fmt.Fprintf(out, "  %s wait for display %s; if it is gone: fleet forget %s\n", plural.Count(int(one.Messages), "message"), escape.Text(one.Name), one.Display)
		}
		if lost := b.Dropped; lost != (nats.Dropped{}) {
			fmt.Fprintf(out, "  dropped messages: %d that did not open, %d of strangers, %d of agents of other displays, %d refused, %d stale heartbeats, %d requests to pair\n",
				lost.Sealed, lost.Unpaired, lost.Unwanted, lost.Refused, lost.Stale, lost.Joins)
		}
	}
	table := cli.NewTable(out)
	listed := 0
	for _, agent := range s.Agents {
		if !all && agent.trouble() == 0 {
			continue
		}
		if listed++; listed == 1 {
			fmt.Fprintln(table, "\nAGENT\tSTATE\tLAST HEARD\tWAITING\tDROPPED\tVERSION")
		}
		state := agent.State
		if agent.Error != "" {
			state += ": " + agent.Error
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%s\n", agent.Name, escape.Text(state), cli.Ago(agent.Heard, now), agent.Waiting, agent.Dropped, agent.Version)
	}
	return table.Flush()
}

// fleetAnswer is the running display's answer to the command.
func (d *daemon) fleetAnswer(context.Context, struct{}) (FleetStatus, error) {
	return d.fleetStatus(), nil
}
