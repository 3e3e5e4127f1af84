// Package telegram sends notices by a Telegram bot (https://core.telegram.org/bots/api#sendmessage).
//
// It promises one message for each call, in HTML whose text is escaped, and without formatting where
// the service cannot parse it; it waits as long as the service asks by telling its caller, and goes
// to the group's new id where a group has moved. Messages above the service's length are cut.
package telegram

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/pialert/pialert/display/internal/notice/channel"
)

// DefaultURL is Telegram's own service.
const DefaultURL = "https://api.telegram.org"

// maxText is the service's limit of a message, in characters after its markup is taken off. It
// is kept in bytes here, which are never fewer.
const maxText = 4096

// Options say who tells whom.
type Options struct {
	URL   string // of the Bot API; empty means DefaultURL
	Chat  string // number of a chat, or @name of a channel
	Token string // the bot's
}

// Channel sends to one chat. Its methods may be called from several goroutines at once.
type Channel struct {
	options Options
	client  *http.Client
}

// New returns a channel that sends with a client, such as [channel.NewHTTPClient].
func New(options Options, client *http.Client) *Channel {
	if options.URL == "" {
		options.URL = DefaultURL
	}
	return &Channel{options, client}
}

// answer is the service's, in the parts that are used (https://core.telegram.org/bots/api#making-requests).
type answer struct {
	OK          bool   `json:"ok"`
	Description string `json:"description"`
	Parameters  struct {
		RetryAfter int64 `json:"retry_after"`
		MigrateTo  int64 `json:"migrate_to_chat_id"`
	} `json:"parameters"`
}

// Send sends a message and returns what the service said.
func (c *Channel) Send(ctx context.Context, m *channel.Message) (string, error) {
	said, reply, err := c.post(ctx, c.options.Chat, "HTML", render(m))
	switch {
	case err == nil:
		return said, nil
	case reply.Parameters.MigrateTo != 0: // https://core.telegram.org/bots/api#responseparameters
		moved := fmt.Sprint(reply.Parameters.MigrateTo)
		if said, _, err = c.post(ctx, moved, "HTML", render(m)); err == nil {
			said = "the group has moved: set chat to " + moved + ". " + said
		}
		return said, err
	case strings.Contains(reply.Description, "can't parse entities"):
		said, _, err = c.post(ctx, c.options.Chat, "", channel.Cut(m.Subject+"\n\n"+m.Text(), maxText))
		return said, err
	}
	return "", err
}

func (c *Channel) post(ctx context.Context, chat, mode, text string) (string, answer, error) {
	body, err := json.Marshal(struct {
		Chat    string `json:"chat_id"`
		Text    string `json:"text"`
		Mode    string `json:"parse_mode,omitempty"`
		Preview struct {
			Off bool `json:"is_disabled"`
		} `json:"link_preview_options"`
	}{Chat: chat, Text: text, Mode: mode, Preview: struct {
		Off bool `json:"is_disabled"`
	}{true}})
	if err != nil {
		return "", answer{}, err
	}
	url := strings.TrimSuffix(c.options.URL, "/") + "/bot" + c.options.Token + "/sendMessage"
	request, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return "", answer{}, &channel.Failure{Outcome: channel.Refused, Answer: "the URL or the token is none that a request can be made of"}
	}
	request.Header.Set("Content-Type", "application/json")
	reply, err := channel.Do(ctx, c.client, request)
	var said answer
	if json.Unmarshal(reply.Body, &said) != nil {
		if err == nil {
			err = &channel.Failure{Outcome: channel.Failed, Answer: "it is no Telegram: " + reply.Answer}
		}
		return "", answer{}, err
	}
	if err == nil && !said.OK {
		err = &channel.Failure{Outcome: channel.Refused, Answer: channel.OneLine(said.Description)}
	}
	var failure *channel.Failure
	if errors.As(err, &failure) && said.Description != "" {
		failure.Answer = fmt.Sprintf("%d %s", reply.Status, channel.OneLine(said.Description))
		if failure.Outcome == channel.Throttled && said.Parameters.RetryAfter > 0 {
			failure.Wait = channel.Wait(said.Parameters.RetryAfter)
		}
	}
	return fmt.Sprintf("%d ok", reply.Status), said, err
}

// escaper writes text so that no markup is read in it (https://core.telegram.org/bots/api#html-style).
var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// render writes a message as HTML of the few tags that the service knows. Whole parts are left
// out rather than tags cut in two.
func render(m *channel.Message) string {
	subject := channel.Cut(m.Subject, maxText/4)
	parts := []string{"<b>" + escaper.Replace(subject) + "</b>\n"}
	left := maxText - len(subject) - 1
	add := func(text, open, end string) {
		if len(text)+2 <= left {
			left -= len(text) + 2
			parts = append(parts, open+escaper.Replace(text)+end)
		}
	}
	if m.Link != "" {
		left -= len(m.Link) + 2
	}
	for _, line := range m.Lines {
		add(line, "", "\n")
	}
	for _, table := range m.Tables {
		add(table.Title, "\n<b>", "</b>\n")
		for _, row := range table.Rows {
			add(fmt.Sprintf("%d  %s", row.Count, row.Name), "<code>", "</code>\n")
		}
	}
	if m.Bars != nil {
		add(m.Bars.String(), "\n<code>", "</code>\n")
	}
	if m.Link != "" {
		parts = append(parts, "\n"+escaper.Replace(m.Link))
	}
	return strings.Join(parts, "")
}
