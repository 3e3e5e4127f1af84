package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/display/internal/terminal"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/config"
	"github.com/pialert/pialert/pkg/control"
	"github.com/pialert/pialert/pkg/escape"
	"github.com/pialert/pialert/pkg/eventjson"
)

// chosen is how a person chooses events: by words, which the running display reads in its zone.
type chosen struct {
	Since  string `json:"since,omitempty"`
	Until  string `json:"until,omitempty"`
	Agent  string `json:"agent,omitempty"`
	Kind   string `json:"kind,omitempty"`
	Source string `json:"source,omitempty"`
	User   string `json:"user,omitempty"`
	Host   string `json:"host,omitempty"`
}

// flags adds the flags of a choice to a command.
func (c *chosen) flags(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&c.Since, "since", c.Since, "only what arrived since then: "+whenHelp)
	flags.StringVar(&c.Until, "until", "", "only what arrived before then")
	flags.StringVar(&c.Agent, "agent", "", "only from this agent")
	flags.StringVar(&c.Kind, "kind", "", "only this kind, such as ssh_login")
	flags.StringVar(&c.Source, "source", "", "only from this address or network")
	flags.StringVar(&c.User, "user", "", "only attempts to be this user")
	flags.StringVar(&c.Host, "host", "", "only lines of this machine, where an agent reads those of others")
	command.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions(kindNames(), cobra.ShellCompDirectiveNoFileComp))
	completeAgent(command)
}

// kindNames lists the kinds by name.
func kindNames() (names []string) {
	for _, kind := range attack.Kinds() {
		names = append(names, kind.String())
	}
	return names
}

// completeAgent gives a command's --agent the names of the running display's agents.
func completeAgent(command *cobra.Command) {
	command.RegisterFlagCompletionFunc("agent", func(command *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		var names []string
		for _, agent := range runningAgents(command) {
			names = append(names, agent.Name)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	})
}

// runningAgents returns the agents of the running display, for completion; none if it does not run.
func runningAgents(command *cobra.Command) []AgentStatus {
	path, _ := command.Flags().GetString("config")
	cfg := defaults()
	config.Load(path, &cfg) // one that cannot be read is as good as none here
	var status Status
	cfg.running().Ask(command.Context(), "/status", nil, &status)
	return status.Agents
}

// filter reads a choice.
func (c chosen) filter(now time.Time) (f history.Filter, err error) {
	f.Agent, f.User, f.Host = c.Agent, c.User, c.Host
	if f.Since, err = parseWhen(c.Since, now); err != nil {
		return f, fmt.Errorf("--since: %w", err)
	}
	if f.Until, err = parseWhen(c.Until, now); err != nil {
		return f, fmt.Errorf("--until: %w", err)
	}
	if c.Kind != "" {
		if f.Kind, err = attack.ParseKind(c.Kind); err != nil {
			return f, fmt.Errorf("--kind: %w; use one of %s", err, strings.Join(kindNames(), ", "))
		}
	}
	if c.Source != "" {
		addr, err := netip.ParseAddr(c.Source)
		if f.Source = netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()); err != nil {
			if f.Source, err = netip.ParsePrefix(c.Source); err != nil {
				return f, fmt.Errorf("--source: %q is no address such as 192.0.2.7, and no network such as 192.0.2.0/24", c.Source)
			}
		}
	}
	return f, nil
}

// check finds mistakes before the running display is asked.
func (c chosen) check(limit int) error {
	f, err := c.filter(time.Now())
	switch {
	case err != nil:
	case limit < 0:
		err = fmt.Errorf("--limit %d: give 0 for all, or a number above", limit)
	case !f.Until.IsZero() && !f.Since.Before(f.Until):
		err = fmt.Errorf("--until %s is not after --since %s", c.Until, c.Since)
	default:
		return nil
	}
	return &cli.UsageError{Err: err}
}

// eventsRequest asks for events.
type eventsRequest struct {
	chosen
	Limit  int             `json:"limit"` // the newest so many; 0 is all
	Follow bool            `json:"follow,omitempty"`
	Format string          `json:"format"`
	Colors terminal.Colors `json:"colors,omitempty"`
}

// now returns the present time in the display's zone.
func (d *daemon) now() time.Time { return time.Now().In(d.screen.lamps.Zone()) }

// events writes the events that are asked for, the newest last.
func (d *daemon) events(ctx context.Context, in eventsRequest, out control.Flusher) error {
	filter, err := in.filter(d.now())
	if err != nil {
		return err
	}
	print, err := d.eventPrinter(in.Format, in.Colors)
	if err != nil {
		return err
	}
	if in.Limit > 0 {
		if _, filter.After, err = d.history.Newest(ctx, in.Limit, filter); err != nil {
			return err
		}
	}
	var text []byte
	for {
		changed := d.history.Changed() // before the look, so that no commit falls between
		records, err := d.history.Select(ctx, 500, filter)
		if err != nil {
			return err
		}
		text = text[:0]
		for i := range records {
			text, filter.After = print(text, &records[i]), records[i].ID
		}
		if _, err := out.Write(text); err != nil {
			return err
		}
		if len(records) > 0 {
			continue
		}
		if err := out.Flush(); err != nil || !in.Follow {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// eventPrinter returns what appends a record in a format.
func (d *daemon) eventPrinter(format string, colors terminal.Colors) (func([]byte, *history.Record) []byte, error) {
	zone := d.screen.lamps.Zone()
	switch format {
	case "json":
		var p eventjson.Printer
		return func(b []byte, r *history.Record) []byte {
			where := eventjson.Where{Agent: r.Agent, Arrived: r.Arrived.In(zone)}
			if r.Note == "" {
				return p.Append(b, &r.Event, where)
			}
			return p.AppendCorrection(b, r.Event.Kind, where, r.By, r.Note)
		}, nil
	case "csv":
		return appendCSV, nil
	case "text":
		lamps := legend(d.lamps())
		return func(b []byte, r *history.Record) []byte {
			lamp := terminal.Lamp{Name: "-"}
			i, _ := d.screen.lamps.RouteEvent(r.Agent, &r.Event)
			if i >= 0 && i < len(lamps) {
				lamp = lamps[i]
			}
			if r.Note != "" {
				from := escape.Text(r.Agent)
				if r.Event.Host != "" {
					from += " on " + escape.Text(r.Event.Host)
				}
				return fmt.Appendf(b, "%s  %-9s  corrected by %+d: %s of %s, %s\n", r.Arrived.In(zone).Format(time.DateTime), lamp.Name,
					r.By, r.Event.Kind, from, escape.Text(r.Note))
			}
			line := terminal.Columns(r.Arrived.In(zone), lamp.Name, r.Agent, &r.Event)
			if i >= 0 {
				line = colors.Text(lamp.Color, line)
			}
			return append(append(b, line...), '\n')
		}, nil
	}
	return nil, fmt.Errorf("unknown format %q: use text, json or csv", format)
}

// csvColumns is the first line of CSV.
var csvColumns = []string{"arrived", "logged", "agent", "host", "kind", "count", "severity", "source", "port", "user", "target", "rule", "file", "test",
	"corrected_by", "reason"}

// appendCSV appends a record as a line of CSV (RFC 4180).
func appendCSV(b []byte, r *history.Record) []byte {
	e := &r.Event
	logged := ""
	if !e.Logged.IsZero() {
		logged = e.Logged.Format(time.RFC3339)
	}
	source := e.SourceHost
	if e.SourceIP.IsValid() {
		source = e.SourceIP.String()
	}
	target := ""
	switch detail := e.Detail.(type) {
	case attack.HTTP:
		target = detail.Target
	case attack.Local:
		target = detail.Target
	}
	var text strings.Builder
	line := csv.NewWriter(&text)
	severity, by := "", ""
	if r.Note == "" {
		severity = e.Severity.String()
	} else {
		by = strconv.FormatInt(r.By, 10)
	}
	cells := []string{
		r.Arrived.Format(time.RFC3339), logged, cell(r.Agent), cell(e.Host), e.Kind.String(), strconv.FormatUint(e.Count, 10), severity,
		cell(source), strconv.Itoa(int(e.SourcePort)), cell(e.User), cell(target), cell(e.Rule), cell(e.Log), strconv.FormatBool(e.Test),
		by, cell(r.Note),
	}
	line.Write(cells)
	line.Flush()
	return append(b, text.String()...)
}

func eventsCommand(s *settings) *cobra.Command {
	request := eventsRequest{Limit: 1000}
	command := &cobra.Command{
		Use:   "events",
		Short: "Print stored attacks, the newest last",
		Long: `events prints what the display has stored, the newest last, in the colours of the lamps. On a terminal
it is paged as git does it: by $PAGER, or less. JSON is one object a line, with the fields of
pialert-agent scan --format json, the agent and when the event arrived.`,
		Example: `  pialert-display events --since 8h
  pialert-display events --since yesterday --kind ssh_login --user root
  pialert-display events --source 192.0.2.0/24 --format json | jq .user
  pialert-display events --follow`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := request.check(request.Limit); err != nil {
				return err
			}
			cfg, err := s.Load()
			if err != nil {
				return err
			}
			out, finish := command.OutOrStdout(), func() error { return nil }
			if request.Format == "text" && out == os.Stdout {
				screen := terminal.Examine(os.Stdout, os.Getenv)
				request.Colors = screen.Colors
				if screen.Live && !request.Follow {
					if out, finish, err = pager(command.Context()); err != nil {
						return err
					}
				}
			}
			answer, err := cfg.running().Open(command.Context(), "/events", request)
			if err != nil {
				finish()
				return err
			}
			defer answer.Close()
			if request.Format == "csv" {
				fmt.Fprintln(out, strings.Join(csvColumns, ","))
			}
			_, err = io.Copy(out, answer)
			return leave(command.Context(), err, finish())
		},
	}
	request.flags(command)
	flags := command.Flags()
	flags.IntVar(&request.Limit, "limit", request.Limit, "at most the newest so many; 0 is all")
	flags.BoolVar(&request.Follow, "follow", false, "go on with what arrives")
	cli.FormatFlag(command, &request.Format, "text", "json", "csv")
	return command
}
