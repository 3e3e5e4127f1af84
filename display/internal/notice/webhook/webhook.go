// Package webhook sends notices as JSON to a URL of the owner's.
//
// It promises one request for each call, signed where there is a secret: X-PiAlert-Signature holds
// "sha256=" and the HMAC-SHA256 (RFC 2104) of the value of X-PiAlert-Timestamp, a dot and the body,
// in hexadecimal. Idempotency-Key is the same at every attempt of one notice, so that a receiver
// can tell a second attempt from a second notice.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/pialert/pialert/display/internal/notice/channel"
)

// Options say where to send, and how to sign.
type Options struct {
	URL    string
	Secret []byte           // signs; empty signs nothing
	Now    func() time.Time // stamps the signature; nil means time.Now
}

// Channel sends to one URL. Its methods may be called from several goroutines at once.
type Channel struct {
	options Options
	client  *http.Client
}

// New returns a channel that sends with a client, such as [channel.NewHTTPClient].
func New(options Options, client *http.Client) *Channel {
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Channel{options, client}
}

// Body is what is sent; docs/json.md describes it for whoever receives it.
type Body struct {
	ID       string    `json:"id"`
	At       time.Time `json:"at"`
	Severity string    `json:"severity"`
	Subject  string    `json:"subject"`
	Lines    []string  `json:"lines"`
	Tables   []Table   `json:"tables,omitempty"`
	Bars     *Bars     `json:"bars,omitempty"`
	Link     string    `json:"link,omitempty"`
}

// Table lists names with their attempts, the most first.
type Table struct {
	Title string `json:"title"`
	Rows  []Row  `json:"rows"`
}

// Row is one name and its attempts.
type Row struct {
	Name     string `json:"name"`
	Attempts uint64 `json:"attempts"`
}

// Bars are attempts in spans of equal length.
type Bars struct {
	From    time.Time `json:"from"`
	Seconds int64     `json:"seconds"` // of one span
	Counts  []uint64  `json:"counts"`
}

// Send sends a message and returns what the receiver said.
func (c *Channel) Send(ctx context.Context, m *channel.Message) (string, error) {
	body, err := json.Marshal(bodyOf(m))
	if err != nil {
		return "", err
	}
	request, err := http.NewRequest(http.MethodPost, c.options.URL, bytes.NewReader(body))
	if err != nil {
		return "", &channel.Failure{Outcome: channel.Refused, Answer: "no request can be made of the URL"}
	}
	stamp := strconv.FormatInt(c.options.Now().Unix(), 10)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", m.ID)
	request.Header.Set("X-PiAlert-Timestamp", stamp)
	if len(c.options.Secret) > 0 {
		request.Header.Set("X-PiAlert-Signature", "sha256="+Sign(c.options.Secret, stamp, body))
	}
	reply, err := channel.Do(ctx, c.client, request)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d ok", reply.Status), nil
}

// Sign returns the signature of a body that is sent at a time, as the header has it behind "sha256=".
func Sign(secret []byte, stamp string, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(stamp + "."))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

func bodyOf(m *channel.Message) Body {
	body := Body{
		ID: m.ID, At: m.At.UTC(), Severity: m.Severity.String(), Subject: m.Subject, Lines: append([]string{}, m.Lines...), Link: m.Link,
	}
	for _, table := range m.Tables {
		to := Table{Title: table.Title, Rows: []Row{}}
		for _, row := range table.Rows {
			to.Rows = append(to.Rows, Row{row.Name, row.Count})
		}
		body.Tables = append(body.Tables, to)
	}
	if m.Bars != nil {
		body.Bars = &Bars{m.Bars.From.UTC(), int64(m.Bars.Step / time.Second), m.Bars.Counts}
	}
	return body
}
