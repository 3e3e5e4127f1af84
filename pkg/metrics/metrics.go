// Package metrics serves a program's numbers to Prometheus, and whether it is well.
//
// Numbers are read when they are asked for: a program says what it has in a function, and keeps
// no counters for this package's sake.
package metrics

import (
	"fmt"
	"net"
	"net/http"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Listen opens the address that metrics are served on; without one it returns nil.
func Listen(address string) (net.Listener, error) {
	if address == "" {
		return nil, nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot serve metrics: %w; set metrics to another address, or to nothing", err)
	}
	return listener, nil
}

// Metric is a number that a program has, with the names of its labels.
type Metric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

// Counter is a number that only grows while the program runs.
func Counter(name, help string, labels ...string) Metric {
	return Metric{prometheus.NewDesc("pialert_"+name, help, labels, nil), prometheus.CounterValue}
}

// Gauge is a number that goes up and down.
func Gauge(name, help string, labels ...string) Metric {
	return Metric{prometheus.NewDesc("pialert_"+name, help, labels, nil), prometheus.GaugeValue}
}

// Report takes a metric's value and those of its labels.
type Report func(m Metric, value float64, labels ...string)

// collector asks the program at each scrape.
type collector func(Report)

// Describe says nothing: which agents and lamps there are is known only at a scrape.
func (collector) Describe(chan<- *prometheus.Desc) {}

func (c collector) Collect(out chan<- prometheus.Metric) {
	c(func(m Metric, value float64, labels ...string) {
		metric, err := prometheus.NewConstMetric(m.desc, m.kind, value, labels...)
		if err != nil {
			metric = prometheus.NewInvalidMetric(m.desc, err)
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
