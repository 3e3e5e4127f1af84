package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/display/internal/notice"
	"github.com/pialert/pialert/display/internal/notice/channel"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/control"
	"github.com/pialert/pialert/pkg/escape"
)

// records is the history as notices read it.
type records struct{ *history.History }

func (h records) After(ctx context.Context, cursor int64, limit int) ([]notice.Record, error) {
	list, err := h.History.After(ctx, cursor, limit)
	all := make([]notice.Record, len(list))
	for i, r := range list {
		all[i] = notice.Record{ID: r.ID, Agent: r.Agent, Arrived: r.Arrived, Event: r.Event}
	}
	return all, err
}

// openNotices makes the notices of a configuration. A channel that cannot be opened, such as for want
// of its secret, is left out and said: counting goes on.
func (d *daemon) openNotices(cfg Config) error {
	zone, err := cfg.Look.Location()
	if err != nil {
		return err
	}
	channels, fault := notice.Channels(cfg.Notices)
	if fault != nil {
		d.logger.Error("cannot open every channel of the notices; the others work", "error", fault)
	}
	service := notice.New(notice.Options{
		Config: cfg.Notices, Channels: channels, History: records{d.history}, Zone: zone, Now: time.Now, Logger: d.logger,
		Around: notice.Around{
			Heard: d.heard, Dropped: d.droppedBefore, Summary: d.night,
			Lamp: func(agent string, event *attack.Event) string {
				i, _ := d.screen.lamps.RouteEvent(agent, event)
				if lamps := d.configuration().Lamps; i >= 0 && i < len(lamps) {
					return lamps[i].Name
				}
				return ""
			},
		},
	})
	d.mu.Lock()
	defer d.mu.Unlock()
	d.notices, d.noticeFault = service, fault
	return nil
}

// runNotices tells until ctx ends. A reload starts them anew, from what the outbox holds.
func (d *daemon) runNotices(ctx context.Context) error {
	for ctx.Err() == nil {
		running, stop := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() { done <- d.noticeService().Run(running) }()
		select {
		case <-ctx.Done():
		case <-d.renotice:
		}
		stop()
		if err := <-done; err != nil {
			return err
		}
	}
	return nil
}

func (d *daemon) noticeService() *notice.Service {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.notices
}

// faultOfNotices says why a channel could not be opened.
func (d *daemon) faultOfNotices() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.noticeFault
}

// heard lists whose silence is news: the paired agents, their logs, and the display's own hardware.
// Only the planner calls it.
func (d *daemon) heard() (all []notice.Heard) {
	streams, now := d.streams(), time.Now()
	working := map[string]time.Time{}
	works := func(name, state string, ok bool) {
		since, known := d.working[name]
		if ok || !known {
			since = now
		}
		working[name] = since
		all = append(all, notice.Heard{Name: name, State: state, Since: since, Alive: ok})
	}
	for _, agent := range d.present() {
		since := agent.Heard
		if since.IsZero() {
			since = d.started
		}
		if agent.Paired.After(since) {
			since = agent.Paired
		}
		all = append(all, notice.Heard{Name: agent.Name, Since: since, Alive: !agent.Heard.IsZero()})
		if !agent.Connected {
			continue // its own silence says it all
		}
		for _, log := range streams[agent.Name].Logs {
			name := log.Name + " of " + agent.Name
			read := notice.Heard{Name: name, Log: log.Name, Since: log.LastLine, Alive: true}
			if log.LastLine.IsZero() { // none since the agent started
				read.Since, read.Alive = streams[agent.Name].Since, false
			}
			all = append(all, read)
			works(name, "could not be read", log.Error == "")
		}
	}
	drawn := d.screen.panel.Stats()
	works("the LED strip", "did not work", drawn.StripError == "")
	works("the digit display", "did not work", drawn.DigitsError == "")
	d.working = working
	return all
}

func (d *daemon) droppedBefore() (all []notice.Dropped) {
	for _, agent := range d.history.Agents() {
		all = append(all, notice.Dropped{Agent: agent.Name, Attempts: agent.Dropped.Attempts})
	}
	return all
}

type noticeRequest struct {
	Channel string `json:"channel,omitempty"`
	ID      int64  `json:"id,omitempty"`
	Limit   int    `json:"limit,omitempty"`
}

// noticeControls is what the commands below ask of the running display.
func (d *daemon) noticeControls(mux *http.ServeMux) {
	mux.Handle("POST /notices/test", control.Handle(func(ctx context.Context, in noticeRequest) (notice.Tested, error) {
		return d.noticeService().Test(ctx, in.Channel, d.keyring.Name())
	}))
	mux.Handle("POST /notices/list", control.Handle(func(ctx context.Context, in noticeRequest) ([]notice.Entry, error) {
		return d.noticeService().List(ctx, in.Limit)
	}))
	mux.Handle("POST /notices/retry", control.Handle(func(ctx context.Context, in noticeRequest) (struct{}, error) {
		return struct{}{}, d.noticeService().Retry(ctx, in.ID)
	}))
	mux.Handle("POST /notices/preview", control.Handle(func(ctx context.Context, _ struct{}) (channel.Message, error) {
		return d.noticeService().Preview(ctx)
	}))
}

func noticesCommand(s *settings) *cobra.Command {
	command := &cobra.Command{
		Use:   "notices",
		Short: "Test the channels of the notices, and see what was sent",
		Example: `  sudo pialert-display notices test phone
  sudo pialert-display notices list`,
	}
	command.AddCommand(testNoticeCommand(s), listNoticesCommand(s), retryNoticeCommand(s), previewNoticeCommand(s))
	return command
}

// askNotices asks the running display.
func askNotices(s *settings, command *cobra.Command, path string, in, out any) error {
	cfg, err := s.Load()
	if err != nil {
		return err
	}
	return cfg.running().Ask(command.Context(), "/notices/"+path, in, out)
}

func testNoticeCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:     "test CHANNEL",
		Short:   "Send a real message by a channel, and print what its service answers",
		Example: "  sudo pialert-display notices test phone",
		Args:    cobra.ExactArgs(1),

		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) (names []string, _ cobra.ShellCompDirective) {
			if cfg, err := s.Load(); err == nil && len(args) == 0 {
				for _, channel := range cfg.Notices.Channels {
					names = append(names, channel.Name)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(command *cobra.Command, args []string) error {
			var tested notice.Tested
			if err := askNotices(s, command, "test", noticeRequest{Channel: args[0]}, &tested); err != nil {
				return err
			}
			fmt.Fprintf(command.OutOrStdout(), "sent by %s in %s; the service answered: %s\n",
				args[0], tested.Took.Round(time.Millisecond), escape.Text(tested.Answer))
			return nil
		},
	}
}

func listNoticesCommand(s *settings) *cobra.Command {
	var limit int
	var format string
	command := &cobra.Command{
		Use:   "list",
		Short: "List the newest messages: what was delivered, what waits, what failed",
		Example: `  sudo pialert-display notices list
  sudo pialert-display notices list --format json | jq 'select(.state == "failed")'`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if limit < 1 || limit > 10_000 {
				return errors.New("--limit must be 1 to 10000")
			}
			var all []notice.Entry
			if err := askNotices(s, command, "list", noticeRequest{Limit: limit}, &all); err != nil {
				return err
			}
			if format == "json" {
				encoder := cli.NewEncoder(command.OutOrStdout())
				for _, one := range all {
					if err := encoder.Encode(one); err != nil {
						return err
					}
				}
				return nil
			}
			return writeNotices(command.OutOrStdout(), all, time.Now())
		},
	}
	command.Flags().IntVar(&limit, "limit", 20, "how many, the newest")
	cli.FormatFlag(command, &format)
	return command
}

func writeNotices(out io.Writer, all []notice.Entry, now time.Time) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(out, "no notices yet")
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tCHANNEL\tCREATED\tSTATE\tATTEMPTS\tNOTICE\tANSWER")
	for _, e := range all {
		state := string(e.State)
		if e.State == notice.Queued && e.Next.After(now) {
			state += ", next in " + e.Next.Sub(now).Round(time.Second).String()
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%d\t%s\t%s\n", e.ID, e.Channel, cli.Ago(e.Created, now), state, e.Attempts,
			escape.Text(channel.Cut(e.Subject, 60)), escape.Text(channel.Cut(e.Answer, 80)))
	}
	return table.Flush()
}

func retryNoticeCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:     "retry ID",
		Short:   "Send a message again that failed, or that waits, now",
		Example: "  sudo pialert-display notices retry 17",
		Args:    cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			id, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil {
				return fmt.Errorf("%q is no id: see pialert-display notices list", args[0])
			}
			if err := askNotices(s, command, "retry", noticeRequest{ID: id}, nil); err != nil {
				return err
			}
			fmt.Fprintf(command.OutOrStdout(), "notice %d is queued\n", id)
			return nil
		},
	}
}

func previewNoticeCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:       "preview digest",
		Short:     "Print the digest of the last day, as it would be sent",
		Example:   "  sudo pialert-display notices preview digest",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"digest"},
		RunE: func(command *cobra.Command, _ []string) error {
			var m channel.Message
			if err := askNotices(s, command, "preview", nil, &m); err != nil {
				return err
			}
			_, err := fmt.Fprintf(command.OutOrStdout(), "%s\n\n%s", m.Subject, m.Text())
			return err
		},
	}
}
