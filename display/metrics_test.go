package main

import (
	"reflect"
	"testing"

	"github.com/pialert/pialert/display/internal/receive/nats"
	"github.com/pialert/pialert/pkg/metrics"
)

// Each reason for which a message of the broker is dropped is a metric of its own.
func TestMetricsOfTheBroker(t *testing.T) {
	status := nats.Status{Server: "tls://n1.example.org:4222", Resyncs: 5}
	dropped := reflect.ValueOf(&status.Dropped).Elem()
	want := map[string]float64{}
	for i := range dropped.NumField() {
		dropped.Field(i).SetUint(uint64(10 + i))
		want[dropped.Type().Field(i).Tag.Get("json")] = float64(10 + i)
	}
	got := map[string]float64{}
	reportBroker(func(m *metrics.Metric, value float64, labels ...string) {
		switch m {
		case metricUnheard:
			got[labels[0]] = value
		case metricBroker:
			if value != 1 {
				t.Errorf("a broker that is connected is %v", value)
			}
		case metricReread:
			if value != 5 {
				t.Errorf("%v resyncs, want 5", value)
			}
		}
	}, status)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("dropped are %v, want %v", got, want)
	}
}
