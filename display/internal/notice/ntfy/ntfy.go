// Package ntfy sends notices to a topic of an ntfy server (https://docs.ntfy.sh/publish/#publish-as-json).
//
// It promises one message for each call, within the server's limits, with a priority and tags by
// the severity. Text goes as JSON, so that none of it can become a header.
package ntfy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/pialert/pialert/display/internal/notice/channel"
	"github.com/pialert/pialert/pkg/attack"
)

// Limits of a server as it ships (server.yml: message-size-limit), in bytes.
const (
	maxMessage = 4096
	maxTitle   = 250
)

// Options say where to send.
type Options struct {
	URL   string // of the topic: https://ntfy.example.org/attacks
	Token string // of an access token; empty where the topic needs none
}

// Channel sends to one topic. Its methods may be called from several goroutines at once.
type Channel struct {
	server, topic, token string
	client               *http.Client
}

// New returns a channel that sends with a client, such as [channel.NewHTTPClient].
func New(options Options, client *http.Client) (*Channel, error) {
	at, err := url.Parse(options.URL)
	if err != nil || at.Host == "" || at.User != nil || (at.Scheme != "https" && at.Scheme != "http") {
		return nil, fmt.Errorf("%q is no topic's URL: write it as https://ntfy.example.org/topic", options.URL)
	}
	path := strings.Trim(at.Path, "/")
	base, topic := "", path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		base, topic = path[:i], path[i+1:]
	}
	if topic == "" {
		return nil, fmt.Errorf("%q names no topic: write it as https://ntfy.example.org/topic", options.URL)
	}
	at.Path, at.RawQuery, at.Fragment = "/"+base, "", ""
	return &Channel{at.String(), topic, options.Token, client}, nil
}

// loudness is what a severity looks and sounds like: the priority, 1 to 5, and the emoji's name
// (https://docs.ntfy.sh/emojis/).
var loudness = map[attack.Severity]struct {
	priority int
	tag      string
}{
	attack.Info:   {2, "information_source"},
	attack.Low:    {2, "shield"},
	attack.Medium: {3, "warning"},
	attack.High:   {5, "rotating_light"},
}

// Send sends a message and returns what the server said.
func (c *Channel) Send(ctx context.Context, m *channel.Message) (string, error) {
	loud := loudness[m.Severity]
	body, err := json.Marshal(struct {
		Topic    string   `json:"topic"`
		Title    string   `json:"title"`
		Message  string   `json:"message"`
		Priority int      `json:"priority,omitempty"`
		Tags     []string `json:"tags,omitempty"`
		Click    string   `json:"click,omitempty"`
	}{
		c.topic, channel.Cut(m.Subject, maxTitle), channel.Cut(m.Text(), maxMessage), loud.priority, []string{loud.tag}, m.Link,
	})
	if err != nil {
		return "", err
	}
	request, err := http.NewRequest(http.MethodPost, c.server, bytes.NewReader(body))
	if err != nil {
		return "", &channel.Failure{Outcome: channel.Refused, Answer: "no request can be made of the URL"}
	}
	request.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	reply, err := channel.Do(ctx, c.client, request)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d ok", reply.Status), nil
}
