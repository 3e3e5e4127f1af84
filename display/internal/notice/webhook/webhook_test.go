package webhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pialert/pialert/display/internal/notice/channel"
	"github.com/pialert/pialert/display/internal/notice/webhook"
	"github.com/pialert/pialert/pkg/attack"
)

func TestSend(t *testing.T) {
	secret := []byte("between us")
	var body []byte
	var header http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header = r.Header
		body, _ = io.ReadAll(r.Body)
	}))
	defer server.Close()
	at := time.Date(2026, 11, 21, 7, 30, 0, 0, time.UTC)
	c := webhook.New(webhook.Options{URL: server.URL, Secret: secret, Now: func() time.Time { return at }}, channel.NewHTTPClient())
	m := channel.Message{
		ID: "n17", At: at, Severity: attack.Medium, Subject: "a \"quoted\" name", Lines: []string{"one"},
		Tables: []channel.Table{{Title: "Sources", Rows: []channel.Row{{Name: "203.0.113.7", Count: 3}}}},
		Bars:   &channel.Bars{From: at, Step: time.Hour, Counts: []uint64{1, 2}},
	}
	if _, err := c.Send(t.Context(), &m); err != nil {
		t.Fatal(err)
	}
	want := `{"id":"n17","at":"2026-11-21T07:30:00Z","severity":"medium","subject":"a \"quoted\" name","lines":["one"],` +
		`"tables":[{"title":"Sources","rows":[{"name":"203.0.113.7","attempts":3}]}],` +
		`"bars":{"from":"2026-11-21T07:30:00Z","seconds":3600,"counts":[1,2]}}`
	if diff := cmp.Diff(want, string(body)); diff != "" {
		t.Error(diff)
	}
	// As a receiver checks it: 1795246200 is 2026-11-21 07:30 UTC.
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("1795246200." + string(body)))
	signature := "sha256=" + hex.EncodeToString(mac.Sum(nil))
	if header.Get("X-PiAlert-Timestamp") != "1795246200" || header.Get("X-PiAlert-Signature") != signature || header.Get("Idempotency-Key") != "n17" {
		t.Errorf("headers %v, want signature %s", header, signature)
	}
}

func TestUnsigned(t *testing.T) {
	var header http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { header = r.Header }))
	defer server.Close()
	if _, err := webhook.New(webhook.Options{URL: server.URL}, channel.NewHTTPClient()).Send(t.Context(), &channel.Message{ID: "n1"}); err != nil {
		t.Fatal(err)
	}
	if _, ok := header["X-Pialert-Signature"]; ok {
		t.Error("signed without a secret")
	}
}
