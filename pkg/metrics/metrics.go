// Package metrics serves a program's numbers to Prometheus, and whether it is well.
//
// Numbers are read when they are asked for: a program says what it has in a function, and keeps
// no counters for this package's sake.
//
// Everybody who reaches the address may ask, so little is given: a bounded number of connections, each
// for seconds, and answers only to who asks for this machine by an IP address or by a name of its own.
// A web page whose name resolves to this machine (DNS rebinding) could read along otherwise.
package metrics

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"
)

// What who asks may take.
const (
	maxConnections = 32
	maxRequest     = 10 * time.Second // to ask and be answered
	maxIdle        = 5 * time.Second
)

// Serve answers requests until ctx ends, then closes the listener and the open connections. Address is the configured one,
// whose host may be asked for.
func Serve(ctx context.Context, listener net.Listener, address string, handler http.Handler) error {
	host, _, _ := net.SplitHostPort(address)
	server := &http.Server{
		Handler:     forThisHost(host, handler),
		ReadTimeout: maxRequest, WriteTimeout: maxRequest, IdleTimeout: maxIdle, MaxHeaderBytes: 16 << 10,
	}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(netutil.LimitListener(listener, maxConnections)); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot serve metrics: %w", err)
	}
	return nil
}

// forThisHost refuses requests whose Host header is a name that is not this machine's.
func forThisHost(configured string, handler http.Handler) http.Handler {
	own, _ := os.Hostname()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		_, err := netip.ParseAddr(strings.Trim(host, "[]"))
		if err != nil && !strings.EqualFold(host, "localhost") && !strings.EqualFold(host, own) && !strings.EqualFold(host, configured) {
			http.Error(w, "ask by an IP address, or set metrics to this name and its port", http.StatusMisdirectedRequest)
			return
		}
		handler.ServeHTTP(w, r)
	})
}

// Metric is a number that a program has, with the names of its labels.
type Metric struct {
	name, help string
	labels     []string
	kind       prometheus.ValueType
}

// Counter is a number that only grows while the program runs.
func Counter(name, help string, labels ...string) *Metric {
	return &Metric{name, help, labels, prometheus.CounterValue}
}

// Gauge is a number that goes up and down.
func Gauge(name, help string, labels ...string) *Metric {
	return &Metric{name, help, labels, prometheus.GaugeValue}
}

// Report takes a metric's value and those of its labels.
type Report func(m *Metric, value float64, labels ...string)

// collector asks the program at each scrape.
type collector func(Report)

// Describe says nothing: which agents and lamps there are is known only at a scrape.
func (collector) Describe(chan<- *prometheus.Desc) {}

func (c collector) Collect(out chan<- prometheus.Metric) {
	descs := map[*Metric]*prometheus.Desc{} // made here: most commands of a program serve no metrics
	c(func(m *Metric, value float64, labels ...string) {
		desc := descs[m]
		if desc == nil {
			desc = prometheus.NewDesc("pialert_"+m.name, m.help, m.labels, nil)
			descs[m] = desc
		}
		metric, err := prometheus.NewConstMetric(desc, m.kind, value, labels...)
		if err != nil {
			metric = prometheus.NewInvalidMetric(desc, err)
		}
		out <- metric
	})
}

// build says in its labels what runs; its value is 1.
var build = Gauge("build_info", "1, with the version of the program and of Go.", "version", "goversion")

// Handler serves /metrics with what report says, the version and the process's own numbers, and
// /healthz, which answers 200 while alive returns nil and 503 with the error otherwise.
func Handler(version string, report func(Report), alive func() error) http.Handler {
	registry := prometheus.NewRegistry()
	all := func(r Report) {
		r(build, 1, version, runtime.Version())
		report(r)
	}
	registry.MustRegister(collector(all), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if err := alive(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	return mux
}

// Bool is 1 for true and 0 for false.
func Bool(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
