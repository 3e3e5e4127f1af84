package metrics_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

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

func serve(t *testing.T, address string) (where string) {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		ended <- metrics.Serve(ctx, listener, address, metrics.Handler("test", func(metrics.Report) {}, func() error { return nil }))
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

// A web page that makes its own name resolve to this machine is not answered.
func TestHost(t *testing.T) {
	t.Parallel()
	own, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	where := serve(t, "localhost:0")
	for host, want := range map[string]int{
		"127.0.0.1": 200, "127.0.0.1:9477": 200, "[::1]:9477": 200, "[::1]": 200, "localhost": 200, "LOCALHOST:9477": 200, own + ":9477": 200,
		"evil.example": 421, "evil.example:9477": 421, "localhost.evil.example": 421, own + ".evil.example": 421, "127.0.0.1.evil.example": 421,
	} {
		request, err := http.NewRequest("GET", "http://"+where+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = host
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("who asks for %s gets %d, want %d", host, response.StatusCode, want)
		}
	}
}

// Connections that are kept open take no more than their share of descriptors, and who waits behind
// them is served when they have had their seconds.
func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	where := serve(t, "127.0.0.1:0")
	ask := func() net.Conn {
		conn, err := net.Dial("tcp", where)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
		return conn
	}
	answered := func(conn net.Conn, within time.Duration) bool {
		conn.SetReadDeadline(time.Now().Add(within))
		_, err := conn.Read(make([]byte, 1))
		return err == nil
	}
	for range 32 {
		if !answered(ask(), 20*time.Second) {
			t.Fatal("one of the first 32 is not served")
		}
	}
	if answered(ask(), 100*time.Millisecond) {
		t.Error("the 33rd is served beside them")
	}
	response, err := http.Get("http://" + where + "/healthz")
	if err != nil || response.StatusCode != 200 {
		t.Fatalf("behind them: %v, error %v", response, err)
	}
	response.Body.Close()
}
