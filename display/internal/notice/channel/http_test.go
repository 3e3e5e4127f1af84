package channel_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/notice/channel"
)

// send posts to a server and returns what channel.Do makes of it.
func send(t *testing.T, client *http.Client, url string) (channel.Reply, *channel.Failure) {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, url, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	reply, err := channel.Do(t.Context(), client, request)
	if err == nil {
		return reply, nil
	}
	var failure *channel.Failure
	if !errors.As(err, &failure) {
		t.Fatalf("%T is no failure", err)
	}
	return reply, failure
}

func TestDo(t *testing.T) {
	for name, test := range map[string]struct {
		status  int
		header  http.Header
		body    string
		outcome channel.Outcome
		wait    time.Duration
	}{
		"taken":                     {status: 200, body: "{}"},
		"taken without a word":      {status: 204},
		"too many":                  {status: 429, header: http.Header{"Retry-After": {"35"}}, outcome: channel.Throttled, wait: 35 * time.Second},
		"too many, for who knows":   {status: 429, header: http.Header{"Retry-After": {"Fri, 20 Nov 2026 12:00:00 GMT"}}, outcome: channel.Throttled},
		"too many, for ever":        {status: 429, header: http.Header{"Retry-After": {"999999999999"}}, outcome: channel.Throttled, wait: 24 * time.Hour},
		"too many, since yesterday": {status: 429, header: http.Header{"Retry-After": {"-5"}}, outcome: channel.Throttled, wait: time.Second},
		"its own fault":             {status: 500, body: "oops", outcome: channel.Failed},
		"down":                      {status: 503, header: http.Header{"Retry-After": {"120"}}, outcome: channel.Failed, wait: 2 * time.Minute},
		"slow":                      {status: 408, outcome: channel.Failed},
		"wrong token":               {status: 401, outcome: channel.Refused},
		"bad request":               {status: 400, outcome: channel.Refused},
		"elsewhere":                 {status: 302, header: http.Header{"Location": {"https://192.0.2.1/steal"}}, outcome: channel.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for key, values := range test.header {
					w.Header()[key] = values
				}
				w.WriteHeader(test.status)
				w.Write([]byte(test.body))
			}))
			defer server.Close()
			_, failure := send(t, channel.NewHTTPClient(), server.URL)
			if test.outcome == 0 {
				if failure != nil {
					t.Errorf("failed: %v", failure)
				}
				return
			}
			if failure == nil || failure.Outcome != test.outcome || failure.Wait != test.wait {
				t.Errorf("got %+v, want outcome %d and wait %s", failure, test.outcome, test.wait)
			}
		})
	}
}

// A token stands in a URL, and must not stand in an error.
func TestErrorsHoldNoURL(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	_, failure := send(t, channel.NewHTTPClient(), server.URL+"/botSECRET/sendMessage")
	if failure == nil || failure.Outcome != channel.Failed || strings.Contains(failure.Error(), "SECRET") {
		t.Errorf("got %v", failure)
	}
}

// A service that takes the request and says nothing more may have sent the message.
func TestNoAnswerIsUnknown(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		conn.Close()
	}))
	defer server.Close()
	if _, failure := send(t, channel.NewHTTPClient(), server.URL); failure == nil || failure.Outcome != channel.Unknown {
		t.Errorf("got %+v, want it unknown", failure)
	}
}

// The transport sends a request anew if a connection that stood idle turns out to be closed: that hands it over, too.
func TestRequestSentAnewIsHandedOver(t *testing.T) {
	over := 0
	ctx := channel.WithHandover(t.Context(), func() error { over++; return nil })
	request, err := http.NewRequest(http.MethodPost, "http://service.example.org", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		body, err := r.GetBody()
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, body)
		return nil, io.ErrUnexpectedEOF
	})}
	var failure *channel.Failure
	if _, err := channel.Do(ctx, client, request); !errors.As(err, &failure) || failure.Outcome != channel.Unknown || over != 1 {
		t.Errorf("got %v after %d handovers, want it unknown after 1", err, over)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A service that ends the connection before it has read the whole request cannot have taken it.
func TestHalfARequestIsNotTaken(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		conn.Close()
	}))
	defer server.Close()
	endless := io.LimitReader(zeros{}, 1<<30) // more than any buffer between the two takes
	request, err := http.NewRequest(http.MethodPost, server.URL, endless)
	if err != nil {
		t.Fatal(err)
	}
	var failure *channel.Failure
	if _, err := channel.Do(t.Context(), channel.NewHTTPClient(), request); !errors.As(err, &failure) || failure.Outcome != channel.Failed {
		t.Errorf("got %v, want it failed", err)
	}
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// The library sends a request again by itself where an old connection ends without an answer: the service would have taken it
// twice, and nobody counted that.
func TestNothingIsSentAgainUnseen(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if asked.Add(1) > 1 {
			panic(http.ErrAbortHandler)
		}
	}))
	defer server.Close()
	client := channel.NewHTTPClient()
	for try, want := range []channel.Outcome{0, channel.Unknown} {
		request, err := http.NewRequest(http.MethodPost, server.URL, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Idempotency-Key", "notice1")
		_, err = channel.Do(t.Context(), client, request)
		var failure *channel.Failure
		if errors.As(err, &failure); (err == nil) != (want == 0) || failure != nil && failure.Outcome != want || asked.Load() != int64(try+1) {
			t.Errorf("try %d: %v, asked %d times", try, err, asked.Load())
		}
	}
}

func TestGarbageIsNoAnswer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			conn.Read(make([]byte, 1<<10))
			conn.Write([]byte("220 smtp.example.org ESMTP\r\n\r\n"))
			conn.Close()
		}
	}()
	if _, failure := send(t, channel.NewHTTPClient(), "http://"+listener.Addr().String()); failure == nil || failure.Outcome == channel.Refused {
		t.Errorf("got %+v, want it to be tried again", failure)
	}
}

// startTLS starts a server whose certificate only tests trust. It keeps refusals to itself.
func startTLS(t *testing.T, handle http.HandlerFunc) *httptest.Server {
	server := httptest.NewUnstartedServer(handle)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// No certificate that the system does not trust is accepted.
func TestCertificatesAreVerified(t *testing.T) {
	server := startTLS(t, func(w http.ResponseWriter, r *http.Request) { t.Error("a request came through") })
	if _, failure := send(t, channel.NewHTTPClient(), server.URL); failure == nil || !strings.Contains(failure.Answer, "certificate") {
		t.Errorf("got %v", failure)
	}
}

// One that the client trusts, but for another name, is not either.
func TestNamesAreVerified(t *testing.T) {
	server := startTLS(t, http.NotFound)
	client := channel.NewHTTPClient()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: roots}
	client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
	}
	if _, failure := send(t, client, "https://hooks.invalid/"); failure == nil || !strings.Contains(failure.Answer, "hooks.invalid") {
		t.Errorf("got %v", failure)
	}
}

// A certificate that has expired is not accepted, though its authority is trusted.
func TestExpiredCertificates(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: now.Add(-48 * time.Hour), NotAfter: now.Add(-24 * time.Hour), DNSNames: []string{"hooks.invalid"},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	expired, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request came through") }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.StartTLS()
	defer server.Close()
	client := channel.NewHTTPClient()
	roots := x509.NewCertPool()
	roots.AddCert(expired)
	client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: roots}
	client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
	}
	if _, failure := send(t, client, "https://hooks.invalid/"); failure == nil || failure.Outcome != channel.Failed || !strings.Contains(failure.Answer, "expired") {
		t.Errorf("got %+v", failure)
	}
}

// Of an answer whose body breaks off the status is known: what a service refused, or could not do, was not
// sent.
func TestBodiesThatBreakOff(t *testing.T) {
	for status, want := range map[int]channel.Outcome{200: 0, 503: channel.Failed, 400: channel.Refused} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			w.WriteHeader(status)
			w.Write([]byte("half of it"))
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}))
		_, failure := send(t, channel.NewHTTPClient(), server.URL)
		server.Close()
		if (failure == nil) != (want == 0) || failure != nil && failure.Outcome != want {
			t.Errorf("%d: got %+v, want outcome %d", status, failure, want)
		}
	}
}

// However much a service answers, its beginning is enough.
func TestBodiesAreBounded(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for range 64 {
			w.Write(make([]byte, 64<<10))
		}
	}))
	defer server.Close()
	reply, failure := send(t, channel.NewHTTPClient(), server.URL)
	if failure != nil || len(reply.Body) > 64<<10 {
		t.Errorf("%d bytes, %v", len(reply.Body), failure)
	}
}

// A request is handed over once there is a connection, before its first byte; if that fails, nothing is taken.
func TestHandover(t *testing.T) {
	full := errors.New("no space left")
	for name, test := range map[string]struct {
		fault error
		taken bool
	}{"noted": {nil, true}, "not noted": {full, false}} {
		var said []string
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if body, err := io.ReadAll(r.Body); err == nil {
				said = append(said, string(body))
			}
		}))
		ctx := channel.WithHandover(t.Context(), func() error {
			said = append(said, "handed over")
			return test.fault
		})
		for range 2 { // by a new connection, and by one that is there
			said = nil
			request, err := http.NewRequest(http.MethodPost, server.URL, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			_, err = channel.Do(ctx, server.Client(), request)
			var failure *channel.Failure
			if errors.As(err, &failure); test.taken != (err == nil) || err != nil && failure.Outcome != channel.Failed {
				t.Errorf("%s: %v", name, err)
			}
			if want := []string{"handed over", "{}"}; test.taken && !slices.Equal(said, want) || !test.taken && !slices.Equal(said, want[:1]) {
				t.Errorf("%s: %q", name, said)
			}
		}
		server.Close()
	}
}
