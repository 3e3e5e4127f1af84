package metrics_test

import (
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/pialert/pialert/pkg/metrics"
)

var (
	lines = metrics.Counter("lines_total", "Lines read.", "log")
	depth = metrics.Gauge("spool_events", "Events that wait.")
)

func get(t *testing.T, path string, alive error) (int, string) {
	t.Helper()
	handler := metrics.Handler("1.0", func(report metrics.Report) {
		report(lines, 1633, "/var/log/auth.log")
		report(depth, 7)
	}, func() error { return alive })
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequest("GET", path, nil))
	body, err := io.ReadAll(recorder.Body)
	if err != nil {
		t.Fatal(err)
	}
	return recorder.Code, string(body)
}

func TestMetrics(t *testing.T) {
	code, body := get(t, "/metrics", nil)
	for _, want := range []string{
		"# TYPE pialert_lines_total counter", `pialert_lines_total{log="/var/log/auth.log"} 1633`,
		"# TYPE pialert_spool_events gauge", "pialert_spool_events 7", "go_goroutines",
	} {
		if code != 200 || !strings.Contains(body, want) {
			t.Errorf("status %d, and %q is missing:\n%s", code, want, body)
		}
	}
}

func TestHealth(t *testing.T) {
	if code, body := get(t, "/healthz", nil); code != 200 || body != "ok\n" {
		t.Errorf("a healthy program says %d %q", code, body)
	}
	if code, body := get(t, "/healthz", errors.New("the pipeline has not moved for 31s")); code != 503 || !strings.Contains(body, "pipeline") {
		t.Errorf("a sick program says %d %q", code, body)
	}
}
