package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/display/internal/notice"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/escape"
	"github.com/pialert/pialert/pkg/plural"
)

// Status is what the running display says of itself.
type Status struct {
	Name    string    `json:"name"`
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	Driver  string    `json:"driver"`

	Total  uint64            `json:"total"` // attempts of all agents and kinds
	Lamps  []LampStatus      `json:"lamps"`
	Kinds  map[string]uint64 `json:"kinds"`           // attempts, bans, visits ... by kind
	Hosts  map[string]uint64 `json:"hosts,omitempty"` // attempts on machines that agents read the lines of, by their names there
	Tests  uint64            `json:"tests,omitempty"` // events that people fired
	Agents []AgentStatus     `json:"agents"`

	Notices []notice.Status `json:"notices,omitempty"` // by channel

	Frames   uint64   `json:"frames"`             // pictures drawn
	Problems []string `json:"problems,omitempty"` // what is wrong now
	Rotation []string `json:"rotation_waits_for,omitempty"`
}

// LampStatus is a lamp and its total.
type LampStatus struct {
	Name  string `json:"name"`
	Label string `json:"label,omitempty"`
	Color string `json:"color"`
	LED   int    `json:"led"`
	Total uint64 `json:"total"`
}

// status looks at everything.
func (d *daemon) status(ctx context.Context) (Status, error) {
	now := time.Now()
	cfg := d.configuration()
	counted := d.screen.lamps.Snapshot(now)
	status := Status{
		Name: d.keyring.Name(), Version: cli.Release(), Started: d.started, Driver: cfg.Driver,
		Total: counted.Grand, Kinds: map[string]uint64{}, Agents: withTotals(d.agents(now), counted.Tallies),
	}
	lamps := d.lamps()
	for i, c := range lamps[:min(len(lamps), len(counted.Lamps))] { // a reload may be under way
		status.Lamps = append(status.Lamps, LampStatus{c.Name, c.Label, c.Color, c.LED, counted.Lamps[i]})
	}
	for _, tally := range counted.Tallies {
		status.Kinds[tally.Kind.String()] += tally.Count
		if tally.Host != "" && tally.Kind.Attempt() {
			if status.Hosts == nil {
				status.Hosts = map[string]uint64{}
			}
			status.Hosts[tally.Host] += tally.Count
		}
	}
	status.Tests = d.history.Tests()
	var err error
	if status.Notices, err = d.noticeService().Status(ctx); err != nil {
		return Status{}, err
	}
	drawn := d.screen.panel.Stats()
	status.Frames = drawn.Frames
	for _, problem := range []string{d.unwritten(), drawn.StripError, drawn.DigitsError} {
		if problem != "" && !slices.Contains(status.Problems, problem) {
			status.Problems = append(status.Problems, problem)
		}
	}
	if d.broker != nil {
		if reason := d.broker.Status().Error; reason != "" {
			status.Problems = append(status.Problems, "nothing comes by the broker: "+reason)
		}
	}
	for _, fault := range []error{d.placeless, d.faultOfNotices(), d.browsed.Fault(), d.scraped.Fault()} {
		if fault != nil {
			status.Problems = append(status.Problems, fault.Error())
		}
	}
	for _, name := range d.noticeService().Failing() {
		status.Problems = append(status.Problems, fmt.Sprintf("notices by %s have failed for an hour: see pialert-display notices list", name))
	}
	_, status.Rotation = d.keyring.Rotation()
	return status, nil
}

// unwritten says that the history cannot be written, and why; empty if it can.
func (d *daemon) unwritten() string {
	fault := d.history.Fault()
	if fault == "" {
		return ""
	}
	return fmt.Sprintf("the history cannot be written, and agents keep their events meanwhile: %s", fault)
}

// alive is what systemd's watchdog and the health endpoint test: the loop that draws.
func (d *daemon) alive() error {
	if !d.screen.panel.Alive() {
		return errors.New("the panel has stopped drawing: a driver hangs")
	}
	return nil
}

// summary is one line for systemctl status.
func (d *daemon) summary() string {
	agents := d.agents(time.Now())
	up := 0
	for _, agent := range agents {
		if agent.Connected {
			up++
		}
	}
	return fmt.Sprintf("%s, %d of %s connected", plural.Count(d.screen.lamps.Totals(nil, time.Now()), "attempt"), up, plural.Count(len(agents), "agent"))
}

func statusCommand(s *settings) *cobra.Command {
	return cli.StatusCommand(s, "Print totals per lamp, kind and agent, and when each agent was last heard",
		`  pialert-display status
  pialert-display status --format json | jq .total`, Status.write)
}

// kinds lists what was counted, those that only newer agents know last.
func (s Status) kinds() []attack.Kind {
	var kinds []attack.Kind
	for name := range s.Kinds {
		if kind, err := attack.ParseKind(name); err == nil {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	return kinds
}

// write prints the status for people.
func (s Status) write(out io.Writer, now time.Time) error {
	fmt.Fprintf(out, "%s (%s), driver %s, up %s\n\n", s.Name, s.Version, s.Driver, now.Sub(s.Started).Round(time.Second))
	table := cli.NewTable(out)
	fmt.Fprintln(table, "LAMP\tCOLOUR\tLED\tTOTAL\tCOUNTS")
	for _, lamp := range s.Lamps {
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%s\n", lamp.Name, lamp.Color, lamp.LED, lamp.Total, lamp.Label)
	}
	fmt.Fprintf(table, "all\t\t\t%d\n", s.Total)
	if s.Tests > 0 {
		fmt.Fprintf(table, "tests\t\t\t%d\tfired by hand, in no total\n", s.Tests)
	}
	fmt.Fprintln(table, "\nKIND\tTOTAL")
	for _, kind := range s.kinds() {
		fmt.Fprintf(table, "%s\t%d\n", kind, s.Kinds[kind.String()])
	}
	if len(s.Kinds) == 0 {
		fmt.Fprintln(table, "none yet")
	}
	if len(s.Hosts) > 0 {
		fmt.Fprintln(table, "\nMACHINE\tATTEMPTS")
		const most = 20
		names := slices.SortedFunc(maps.Keys(s.Hosts), func(a, b string) int {
			return cmp.Or(cmp.Compare(s.Hosts[b], s.Hosts[a]), cmp.Compare(a, b))
		})
		for _, name := range names[:min(len(names), most)] {
			fmt.Fprintf(table, "%s\t%d\n", escape.Text(name), s.Hosts[name])
		}
		if len(names) > most {
			fmt.Fprintf(table, "and %d more\n", len(names)-most)
		}
	}
	fmt.Fprintln(table, "\nAGENT\tLINK\tLAST HEARD\tATTEMPTS\tDROPPED")
	for _, agent := range s.Agents {
		state := "down"
		switch {
		case agent.Former:
			state = "no longer paired"
		case agent.Connected:
			state = "up"
		case agent.Error != "":
			state += ": " + escape.Text(agent.Error)
		case agent.Link.Error != "":
			state += ": " + escape.Text(agent.Link.Error)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\n", agent.Name, state, cli.Ago(agent.Heard, now), agent.Total, agent.Dropped.Attempts)
	}
	if len(s.Agents) == 0 {
		fmt.Fprintln(table, "none\trun sudo pialert-agent pair on a server, and paste here what it prints; in a fleet, sudo pialert-display fleet add NAME")
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, n := range s.Notices {
		fmt.Fprintf(out, "\nnotices by %s: %d delivered, %d waiting, %d failed", n.Channel, n.Delivered, n.Queued, n.Failed)
		if n.Unknown > 0 {
			fmt.Fprintf(out, ", %s of which nobody knows whether the message arrived", plural.Count(n.Unknown, "try"))
		}
		if n.Answer != "" {
			fmt.Fprintf(out, "; its service answered %s: %s", cli.Ago(n.Answered, now), shorten(escape.Text(n.Answer), 100))
		}
		fmt.Fprintln(out)
	}
	for _, problem := range s.Problems {
		fmt.Fprintf(out, "\nproblem: %s\n", escape.Text(problem))
	}
	if len(s.Rotation) > 0 {
		fmt.Fprintf(out, "\nthe key changes once these have heard of it: %s\n", strings.Join(s.Rotation, ", "))
	}
	return nil
}
