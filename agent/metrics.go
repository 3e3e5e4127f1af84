package main

import (
	"context"
	"net"
	"net/http"

	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/metrics"
)

var (
	metricLines    = metrics.Counter("lines_total", "Lines read from a log.", "log")
	metricBytes    = metrics.Counter("read_bytes_total", "Bytes read from a log.", "log")
	metricOverlong = metrics.Counter("overlong_lines_total", "Lines left out because they are too long.", "log")
	metricBacklog  = metrics.Gauge("backlog_files", "Rotated files of the past that are still to be read.", "log")
	metricErrors   = metrics.Counter("log_errors_total", "Failures to read a log.", "log")
	metricEvents   = metrics.Counter("events_total", "Events found, by kind.", "kind")
	metricSpool    = metrics.Gauge("spool_events", "Events that some display has not acknowledged.")
	metricDisk     = metrics.Gauge("spool_bytes", "Size of the spool on disk.")
	metricStuck    = metrics.Gauge("spool_fault", "1 while the spool cannot be written, as on a full disk.")
	metricDropped  = metrics.Counter("dropped_events_total", "Events dropped because the spool was full or damaged.")
	metricLost     = metrics.Counter("dropped_attempts_total", "Attempts that the dropped events stood for.")
	metricLeftOut  = metrics.Counter("discarded_total", "Attempts, connections, events and what episodes are counted of left out, by the reason.", "what", "reason")
	metricSkipped  = metrics.Gauge("skipped_files", "Files of a pattern that are not followed because there are too many.", "log")
	metricDoubted  = metrics.Counter("untrusted_lines_total", "Lines left out because their sender may not speak under their name.", "log")
	metricSyslog   = metrics.Counter("syslog_total", "Messages and senders of a listener that were not as they should be: refused, dropped by the kernel, unparsed, truncated, empty; connections that a kill of the agent interrupted, and 1 if it was killed.", "listener", "what")
	metricSenders  = metrics.Gauge("syslog_senders", "Senders that are remembered.", "listener")
	metricOpen     = metrics.Gauge("syslog_connections", "Connections that are open.", "listener")
	metricUp       = metrics.Gauge("link_up", "1 while a display is connected.", "peer")
	metricBans     = metrics.Gauge("bans", "Bans that the responder keeps.")
	metricDecided  = metrics.Counter("responses_total", "Bans that were decided, and those that were not carried out, by the reason.", "what")
	metricPending  = metrics.Gauge("responses_pending", "Bans that the responder has not taken yet.")
	metricBackend  = metrics.Gauge("responder_backend_up", "1 while a backend carries bans out.", "backend")
	metricRepaired = metrics.Counter("responder_repairs_total", "Times that a backend had to put back what somebody else changed.", "backend")
	metricPackets  = metrics.Counter("responder_dropped_packets_total", "Packets that a backend dropped.", "backend")
	metricFailed   = metrics.Counter("responder_failures_total", "Times that a backend could not carry bans out.", "backend")
	metricConnects = metrics.Counter("link_connects_total", "Connections opened to a display; one less is reconnects.", "peer")
)

func (d *daemon) serveMetrics(ctx context.Context, listener net.Listener) error {
	return metrics.Serve(ctx, listener, d.scraped.Address, d.metrics())
}

// metrics is what status says, for Prometheus.
func (d *daemon) metrics() http.Handler {
	return metrics.Handler(cli.Release(), func(report metrics.Report) {
		status := d.status()
		for _, source := range status.Sources {
			report(metricLines, float64(source.Lines), source.Source)
			report(metricBytes, float64(source.Bytes), source.Source)
			report(metricOverlong, float64(source.Overlong), source.Source)
			report(metricBacklog, float64(backlog(source)), source.Source)
			report(metricErrors, float64(source.Errors), source.Source)
			report(metricDoubted, float64(source.Untrusted), source.Source)
			report(metricSkipped, float64(source.Skipped), source.Source)
			if n := source.Network; n != nil {
				report(metricSenders, float64(n.Senders), source.Source)
				report(metricOpen, float64(n.Connections), source.Source)
				for what, count := range map[string]uint64{
					"refused": n.Refused, "dropped": n.Dropped, "unparsed": n.Unparsed, "truncated": n.Truncated,
					"empty": n.Empty, "interrupted": n.Interrupted,
				} {
					report(metricSyslog, float64(count), source.Source, what)
				}
				report(metricSyslog, metrics.Bool(n.Killed), source.Source, "killed")
			}
		}
		for kind, n := range status.Kinds {
			report(metricEvents, float64(n), kind)
		}
		report(metricSpool, float64(status.Spool.Waiting))
		report(metricDisk, float64(status.Spool.Bytes))
		report(metricStuck, metrics.Bool(status.Spool.Fault != ""))
		report(metricDropped, float64(status.Spool.DroppedEvents))
		report(metricLeftOut, float64(status.Spool.RefusedEvents), "events", "out_of_bounds")
		report(metricLeftOut, float64(status.Detect.Ignored), "attempts", "ignored_address")
		report(metricLeftOut, float64(status.Detect.Evicted), "connections", "evicted")
		report(metricLeftOut, float64(status.Detect.Unattributed), "connections", "no_address")
		report(metricLeftOut, float64(status.Detect.Crowded), "episodes", "evicted")
		report(metricLost, float64(status.Spool.DroppedAttempts))
		if responses := status.Responses; responses != nil {
			report(metricBans, float64(responses.Bans))
			report(metricDecided, float64(responses.Decided), "decided")
			report(metricDecided, float64(responses.Spared), "spared")
			report(metricDecided, float64(responses.Refused), "refused")
			report(metricPending, float64(responses.Pending))
			for _, backend := range responses.Backends {
				report(metricBackend, metrics.Bool(backend.Error == ""), backend.Name)
				report(metricRepaired, float64(backend.Repaired), backend.Name)
				report(metricPackets, float64(backend.Dropped), backend.Name)
				report(metricFailed, float64(backend.Failures), backend.Name)
			}
		}
		for _, display := range status.Displays {
			report(metricUp, metrics.Bool(display.Link.Up), display.Name)
			report(metricConnects, float64(display.Link.Connects), display.Name)
		}
	}, d.alive)
}

// backlog returns how many rotated files a log has still to be read.
func backlog(log SourceStatus) int {
	if log.Backlog == nil {
		return 0
	}
	return log.Backlog.Files
}
