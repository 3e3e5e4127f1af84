package ntfy_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/pialert/pialert/display/internal/notice/channel"
	"github.com/pialert/pialert/display/internal/notice/ntfy"
	"github.com/pialert/pialert/pkg/attack"
)

func TestSend(t *testing.T) {
	var got struct {
		Topic, Title, Message, Click string
		Priority                     int
		Tags                         []string
	}
	var path, authorization string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, authorization = r.URL.Path, r.Header.Get("Authorization")
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	c, err := ntfy.New(ntfy.Options{URL: server.URL + "/behind/attacks", Token: "tk_1"}, channel.NewHTTPClient())
	if err != nil {
		t.Fatal(err)
	}
	m := channel.Message{
		Subject: "root logged in\r\nX-Evil: 1", Severity: attack.High, Lines: []string{strings.Repeat("ä", 4000)}, Link: "https://pi.example.org/",
	}
	if answer, err := c.Send(t.Context(), &m); err != nil || answer != "200 ok" {
		t.Fatalf("%q, %v", answer, err)
	}
	if path != "/behind" || authorization != "Bearer tk_1" || got.Topic != "attacks" {
		t.Errorf("path %s, authorization %q, topic %q", path, authorization, got.Topic)
	}
	if got.Title != m.Subject || got.Click != m.Link || got.Priority != 5 || !slices.Equal(got.Tags, []string{"rotating_light"}) {
		t.Errorf("got %+v", got)
	}
	if len(got.Message) > 4096 || len(got.Message) < 4000 {
		t.Errorf("a message of %d bytes, at most 4096 are allowed", len(got.Message))
	}
}

func TestURLs(t *testing.T) {
	for _, url := range []string{"", "ntfy.example.org/attacks", "https://ntfy.example.org", "https://ntfy.example.org/", "ftp://ntfy.example.org/x", "https://user:secret@ntfy.example.org/x"} {
		if _, err := ntfy.New(ntfy.Options{URL: url}, nil); err == nil {
			t.Errorf("%q was accepted", url)
		}
	}
}
