package main

import (
	"context"
	"net/http"
	"time"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/display/internal/notice"
	"github.com/pialert/pialert/display/internal/notice/channel"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/control"
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
		Ran: func() time.Duration { return time.Since(d.started) },
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
	streams := d.streams()
	var working []notice.Working
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
			working = append(working, notice.Working{Name: name, State: "could not be read", Works: log.Error == ""})
		}
	}
	drawn := d.screen.panel.Stats()
	working = append(working,
		notice.Working{Name: "the LED strip", State: "did not work", Works: drawn.StripError == ""},
		notice.Working{Name: "the digit display", State: "did not work", Works: drawn.DigitsError == ""})
	return append(all, d.worked.Look(working, time.Now())...)
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
