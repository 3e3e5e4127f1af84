package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/display/internal/terminal"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/control"
	"github.com/pialert/pialert/pkg/escape"
	"github.com/pialert/pialert/pkg/eventjson"
)

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
	filter, err := d.filter(in.chosen)
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
					if out, finish, err = pager(); err != nil {
						return err
					}
				}
			}
			answer, err := cfg.Running().Open(command.Context(), "/events", request)
			if err != nil {
				finish()
				return err
			}
			defer answer.Close()
			if request.Format == "csv" {
				fmt.Fprintln(out, strings.Join(csvColumns, ","))
			}
			_, err = io.Copy(out, answer)
			if errors.Is(err, io.ErrUnexpectedEOF) || err == nil && request.Follow && command.Context().Err() == nil {
				err = stopped()
			}
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
