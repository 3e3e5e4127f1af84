package main

import (
	"context"
	"net"
	"net/http"
	"slices"

	"github.com/pialert/pialert/display/internal/notice"
	"github.com/pialert/pialert/display/internal/receive/nats"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/metrics"
)

var (
	metricAttempts = metrics.Counter("attempts_total", "Attempts counted, by kind.", "kind")
	metricLamp     = metrics.Gauge("lamp_attempts", "What a lamp counts, of today or of all time.", "lamp")
	metricAgent    = metrics.Counter("agent_attempts_total", "Attempts counted, by agent.", "agent")
	metricDropped  = metrics.Counter("agent_dropped_attempts_total", "Attempts that an agent had to drop.", "agent")
	metricHeard    = metrics.Gauge("agent_last_heard_timestamp_seconds", "When an agent was last heard, in Unix time.", "agent")
	metricUp       = metrics.Gauge("link_up", "1 while an agent is connected.", "peer")
	metricConnects = metrics.Counter("link_connects_total", "Connections of an agent; one less is reconnects.", "peer")
	metricBroker   = metrics.Gauge("broker_up", "1 while the broker is connected.")
	metricUnheard  = metrics.Counter("broker_dropped_messages_total", "Messages of the broker that were dropped, by why.", "reason")
	metricReread   = metrics.Counter("broker_resyncs_total", "Times that the broker's stream was read again, since numbers were missing.")
	metricFrames   = metrics.Counter("frames_total", "Pictures drawn.")
	metricRefused  = metrics.Counter("frames_failed_total", "Pictures that the LEDs or the digits did not take.")
	metricCommits  = metrics.Counter("commits_total", "Commits to the history.")
	metricLatency  = metrics.Counter("commit_seconds_total", "Time that commits to the history took.")
	metricKept     = metrics.Gauge("history_kept_bytes", "Memory that what lists of names of the past add up to takes.")
	metricEvicted  = metrics.Counter("history_kept_evicted_total", "Sums of the past that went for want of room, to be made anew when they are asked for.")
	metricNotices  = metrics.Gauge("notices", "Messages in the outbox, by channel and state.", "channel", "state")
	metricUnknown  = metrics.Gauge("notices_unknown", "Attempts, of messages in the outbox, of which nobody knows whether they arrived.", "channel")
	metricPages    = metrics.Gauge("page_open", "Pages that browsers have open and follow.")
	metricBehind   = metrics.Counter("page_dropped_total", "Open pages that were dropped because they read too slowly.")
	metricProblems = metrics.Gauge("problems", "How many things are wrong now.")
	metricProblem  = metrics.Gauge("problem_info", "1 for each thing that is wrong now, which pialert-display status says, too.", "problem")
)

func (d *daemon) serveMetrics(ctx context.Context, listener net.Listener) error {
	return metrics.Serve(ctx, listener, d.scraped.Address, d.metrics())
}

// metrics is what status says, for Prometheus.
func (d *daemon) metrics() http.Handler {
	return metrics.Handler(cli.Release(), func(report metrics.Report) {
		status, err := d.status(context.Background())
		if err != nil {
			d.logger.Error("cannot report metrics", "error", err)
			return
		}
		for kind, n := range status.Kinds {
			report(metricAttempts, float64(n), kind)
		}
		for _, lamp := range status.Lamps {
			report(metricLamp, float64(lamp.Total), lamp.Name)
		}
		for _, agent := range status.Agents {
			report(metricAgent, float64(agent.Total), agent.Name)
			if agent.Former {
				continue
			}
			report(metricDropped, float64(agent.Dropped.Attempts), agent.Name)
			if !agent.Heard.IsZero() {
				report(metricHeard, float64(agent.Heard.Unix()), agent.Name)
			}
			report(metricUp, metrics.Bool(agent.Connected), agent.Name)
			report(metricConnects, float64(agent.Link.Connects), agent.Name)
		}
		if d.broker != nil {
			reportBroker(report, d.broker.Status())
		}
		report(metricFrames, float64(status.Frames))
		report(metricRefused, float64(d.screen.panel.Stats().Failures))
		commits, spent := d.history.Commits()
		report(metricCommits, float64(commits))
		report(metricLatency, spent.Seconds())
		past := d.history.Past()
		report(metricKept, float64(past.Bytes))
		report(metricEvicted, float64(past.Evicted))
		for _, n := range status.Notices {
			report(metricNotices, float64(n.Queued), n.Channel, string(notice.Queued))
			report(metricNotices, float64(n.Delivered), n.Channel, string(notice.Delivered))
			report(metricNotices, float64(n.Failed), n.Channel, string(notice.Failed))
			report(metricUnknown, float64(n.Unknown), n.Channel)
		}
		pages, behind := d.page.Stats()
		report(metricPages, float64(pages))
		report(metricBehind, float64(behind))
		report(metricProblems, float64(len(status.Problems)))
		for _, problem := range slices.Compact(slices.Sorted(slices.Values(status.Problems))) {
			report(metricProblem, 1, problem)
		}
	}, d.alive)
}

// reportBroker reports how the way through the broker stands.
func reportBroker(report metrics.Report, status nats.Status) {
	report(metricBroker, metrics.Bool(status.Server != ""))
	for reason, n := range map[string]uint64{
		"not_sealed": status.Dropped.Sealed, "unpaired": status.Dropped.Unpaired, "unwanted": status.Dropped.Unwanted,
		"refused": status.Dropped.Refused, "stale": status.Dropped.Stale, "joins": status.Dropped.Joins,
	} {
		report(metricUnheard, float64(n), reason)
	}
	report(metricReread, float64(status.Resyncs))
}
