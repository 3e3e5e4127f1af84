package dyndns

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pialert/pialert/pkg/config"
)

const secret = "s3cr3t"

// world plays the two web services under a fake clock, without a network.
type world struct {
	address func(minute int) string // what the address service answers
	update  func(call int) (status int, answer string)
	updates []string // "MINUTE QUERY" of each update
	began   time.Time
}

func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	minute := int(time.Since(w.began).Minutes())
	switch r.URL.Host {
	case "address.example.org":
		io.WriteString(recorder, w.address(minute))
	case "update.example.org":
		w.updates = append(w.updates, fmt.Sprintf("%d %s", minute, r.URL.Query().Get("ip")))
		status, answer := http.StatusOK, "OK"
		if w.update != nil {
			status, answer = w.update(len(w.updates))
		}
		if status == 0 {
			return nil, errors.New("no route to host")
		}
		recorder.WriteHeader(status)
		io.WriteString(recorder, answer)
	}
	return recorder.Result(), nil
}

func (w *world) run(t *testing.T, lasts time.Duration) (log string) {
	t.Helper()
	var lines bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		w.began = time.Now()
		updater := &Updater{
			UpdateURL:  "https://update.example.org/update?token=" + secret + "&ip={ip}",
			AddressURL: "https://address.example.org/", Interval: 5 * time.Minute,
			Client: &http.Client{Transport: w}, Log: slog.New(slog.NewTextHandler(&lines, nil)),
			Random: func() float64 { return 1 },
		}
		ctx, cancel := context.WithTimeout(t.Context(), lasts)
		defer cancel()
		if err := updater.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	if strings.Contains(lines.String(), secret) {
		t.Errorf("the log tells the secret:\n%s", lines.String())
	}
	return lines.String()
}

func (w *world) want(t *testing.T, updates ...string) {
	t.Helper()
	if got, want := strings.Join(w.updates, ", "), strings.Join(updates, ", "); got != want {
		t.Errorf("updates at minutes\n%s, want\n%s", got, want)
	}
}

func TestUpdatesOnChangeOnly(t *testing.T) {
	t.Parallel()
	w := &world{address: func(minute int) string {
		switch {
		case minute < 12:
			return "203.0.113.1\n"
		case minute < 60:
			return "203.0.113.2"
		}
		return "2001:db8::2"
	}}
	w.run(t, 3*time.Hour)
	w.want(t, "0 203.0.113.1", "15 203.0.113.2", "60 2001:db8::2")
}

func TestFailuresAreTriedLessAndLess(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		status int
		answer string
		log    string
	}{
		{"KO", 200, "KO", "check name and secret"},
		{"dyndns2", 200, "badauth " + secret, "check name and secret"},
		{"server error", 500, secret, "update.example.org answers with status 500"},
		{"redirect", 302, "", "redirect"},
		{"network", 0, "", "no route to host"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := &world{
				address: func(int) string { return "203.0.113.1" },
				update: func(call int) (int, string) {
					if call < 9 {
						return test.status, test.answer
					}
					return 200, "good 203.0.113.1"
				},
			}
			log := w.run(t, 24*time.Hour)
			ip := " 203.0.113.1"
			w.want(t, "0"+ip, "1"+ip, "3"+ip, "7"+ip, "15"+ip, "31"+ip, "63"+ip, "123"+ip, "183"+ip)
			if !strings.Contains(log, test.log) {
				t.Errorf("%q is not in the log:\n%s", test.log, log)
			}
		})
	}
}

func TestNoAddressIsNoUpdate(t *testing.T) {
	t.Parallel()
	w := &world{address: func(int) string { return "<html>" + strings.Repeat("x", 100_000) }}
	log := w.run(t, time.Hour)
	w.want(t)
	if len(log) > 5000 {
		t.Errorf("%d bytes were logged", len(log))
	}
}

// TestRealServer updates over real HTTP, to an address that the provider sees for itself.
func TestRealServer(t *testing.T) {
	t.Parallel()
	updated := make(chan string, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ip", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "203.0.113.9") })
	mux.HandleFunc("GET /update", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "OK")
		updated <- r.URL.RawQuery
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	updater := &Updater{
		UpdateURL: config.Secret(server.URL + "/update?token=" + secret), AddressURL: server.URL + "/ip", Log: slog.New(slog.DiscardHandler),
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- updater.Run(ctx) }()
	select {
	case query := <-updated:
		if query != "token="+secret {
			t.Errorf("the query was %q", query)
		}
	case <-ctx.Done():
		t.Error("there was no update")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	good := Updater{UpdateURL: "https://update.example.org/?ip={ip}", AddressURL: "https://address.example.org/"}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Updater){
		"no update URL":  func(u *Updater) { u.UpdateURL = "" },
		"no address URL": func(u *Updater) { u.AddressURL = "" },
		"a file":         func(u *Updater) { u.UpdateURL = "file:///" + secret },
		"not a URL":      func(u *Updater) { u.UpdateURL = "https://%zz/" + secret },
		"too often":      func(u *Updater) { u.Interval = time.Second },
	} {
		bad := good
		change(&bad)
		if err := bad.Check(); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What goes over the network in the clear is refused, and why is said, without the secret.
func TestPlainHTTPIsRefused(t *testing.T) {
	t.Parallel()
	const good = "https://dns.example.org/update?token=" + secret
	for _, test := range []struct {
		update, check string
		ok            bool
	}{
		{good, "https://ip.example.org", true},
		{"http://dns.example.org/update?token=" + secret, "https://ip.example.org", false},
		{good, "http://ip.example.org", false},
		{"http://192.168.0.1/update?token=" + secret, "https://ip.example.org", false},
		{"http://127.0.0.1:8080/update?token=" + secret, "http://localhost/", true},
		{"http://[::1]/update", "https://ip.example.org", true},
		{"HTTP://dns.example.org/", "https://ip.example.org", false},
	} {
		updater := Updater{UpdateURL: config.Secret(test.update), AddressURL: test.check}
		if err := updater.Check(); (err == nil) != test.ok || err != nil && (!strings.Contains(err.Error(), "https://") || strings.Contains(err.Error(), secret)) {
			t.Errorf("%s and %s: %v", test.update, test.check, err)
		}
	}
}

// A provider's own words may repeat the request.
func TestTheProvidersWordsAreNotLogged(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			http.ReadRequest(bufio.NewReader(conn))
			fmt.Fprintf(conn, "HTTP/1.1 403 your token %s is wrong\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", secret)
			conn.Close()
		}
	}()
	updater := Updater{UpdateURL: config.Secret("http://" + listener.Addr().String() + "/update?token=" + secret)}
	if _, err := updater.get(t.Context(), updater.UpdateURL.Reveal()); err == nil || strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), "status 403") {
		t.Errorf("the error is %v", err)
	}
}
