package channel

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"
	"unicode"
)

// Bounds of an HTTP service's answer.
const (
	maxBody   = 64 << 10 // bytes that are read of it
	maxAnswer = 200      // bytes of it that are kept for people
)

// Timeout bounds one attempt, whatever the service does.
const Timeout = 30 * time.Second

// NewHTTPClient returns the client of channels that speak HTTP: it verifies certificates, takes the
// proxy of HTTPS_PROXY and NO_PROXY, and hands redirects to nobody, since what is sent is secret. Each request has a connection
// of its own.
func NewHTTPClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	transport.DisableKeepAlives = true // by an old connection, net/http itself sends a request again that got no answer
	return &http.Client{
		Transport: transport, Timeout: Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Reply is what an HTTP service answered.
type Reply struct {
	Status int
	Body   []byte // its beginning
	Answer string // status and beginning of the body, in one printable line
}

// Do sends a request, which has a body, and returns the answer of a service that took it. The error is a [Failure],
// by the meaning that RFC 9110 gives to the status; the reply stands beside it where there is one.
func Do(ctx context.Context, client *http.Client, request *http.Request) (Reply, error) {
	var over, cut atomic.Bool // handed over; broken off before its end: no service takes the half of a request
	request.Body = &handed{ctx, request.Body, &over}
	if again := request.GetBody; again != nil { // a connection that stood idle may turn out to be closed
		request.GetBody = func() (io.ReadCloser, error) {
			body, err := again()
			return &handed{ctx, body, &over}, err
		}
	}
	trace := &httptrace.ClientTrace{WroteRequest: func(info httptrace.WroteRequestInfo) { cut.Store(info.Err != nil) }}
	response, err := client.Do(request.WithContext(httptrace.WithClientTrace(ctx, trace)))
	if err != nil {
		return Reply{}, unanswered(err, over.Load() && !cut.Load())
	}
	defer response.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(response.Body, maxBody)) // the status says enough
	reply := Reply{Status: response.StatusCode, Body: said, Answer: OneLine(fmt.Sprintf("%d %s", response.StatusCode, said))}
	failure := &Failure{Outcome: Refused, Answer: reply.Answer}
	switch status := response.StatusCode; {
	case status/100 == 2: // the status alone says that it was taken
		return reply, nil
	case status/100 == 3:
		failure.Answer = fmt.Sprintf("%d: it redirects elsewhere, which is not followed: correct the URL", status)
	case status == http.StatusTooManyRequests:
		failure.Outcome, failure.Wait = Throttled, retryAfter(response.Header)
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status/100 == 5:
		failure.Outcome = Failed
		failure.Wait = retryAfter(response.Header)
	}
	return reply, failure
}

// unanswered makes a failure of what kept a service from answering. The error of net/http repeats
// the URL, in which a token may stand: only its cause is kept. A request that may have been handed
// over whole has an unknown outcome.
func unanswered(err error, whole bool) *Failure {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	outcome := Failed
	if whole {
		outcome = Unknown
	}
	return &Failure{Outcome: outcome, Answer: OneLine(err.Error())}
}

// handed is a body that is handed over with its first byte: no service takes a request without it.
type handed struct {
	ctx context.Context
	io.ReadCloser
	over *atomic.Bool
}

func (h *handed) Read(p []byte) (int, error) {
	if !h.over.Load() {
		if err := Handover(h.ctx); err != nil {
			return 0, err
		}
		h.over.Store(true)
	}
	return h.ReadCloser.Read(p)
}

// maxWait bounds how long a service can have a message wait: a wrong number must not lose it.
const maxWait = 24 * time.Hour

// Wait is a number of seconds that a service asks to wait, within reason.
func Wait(seconds int64) time.Duration {
	return time.Duration(min(max(seconds, 1), int64(maxWait/time.Second))) * time.Second
}

// retryAfter reads the header of that name (RFC 9110, section 10.2.3), in its form of seconds.
func retryAfter(header http.Header) time.Duration {
	seconds, err := strconv.ParseInt(header.Get("Retry-After"), 10, 64)
	if err != nil {
		return 0
	}
	return Wait(seconds)
}

// OneLine makes what a service said fit for a table and a log: printable, words apart by one blank.
func OneLine(text string) string {
	var line []rune
	for _, r := range text {
		switch {
		case r != ' ' && unicode.IsPrint(r) && r != unicode.ReplacementChar:
			line = append(line, r)
		case len(line) > 0 && line[len(line)-1] != ' ':
			line = append(line, ' ')
		}
	}
	return Cut(string(line), maxAnswer)
}
