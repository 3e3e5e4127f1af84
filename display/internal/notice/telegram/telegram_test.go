package telegram_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/notice/channel"
	"github.com/pialert/pialert/display/internal/notice/telegram"
)

// sent is what a bot was asked to send.
type sent struct {
	Path string
	Chat string `json:"chat_id"`
	Text string `json:"text"`
	Mode string `json:"parse_mode"`
}

// fake is a Bot API that gives these answers in turn.
func fake(t *testing.T, answers ...string) (*telegram.Channel, *[]sent) {
	t.Helper()
	var got []sent
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		one := sent{Path: r.URL.Path}
		if err := json.NewDecoder(r.Body).Decode(&one); err != nil {
			t.Error(err)
		}
		answer := answers[len(got)]
		got = append(got, one)
		var code struct {
			Status int `json:"error_code"`
		}
		if json.Unmarshal([]byte(answer), &code); code.Status > 0 {
			w.WriteHeader(code.Status)
		}
		w.Write([]byte(answer))
	}))
	t.Cleanup(server.Close)
	return telegram.New(telegram.Options{URL: server.URL, Chat: "-100123", Token: "42:SECRET"}, channel.NewHTTPClient()), &got
}

const taken = `{"ok":true,"result":{"message_id":7}}`

func TestSend(t *testing.T) {
	c, got := fake(t, taken)
	answer, err := c.Send(t.Context(), &channel.Message{
		Subject: "root logged in on web1",
		Lines:   []string{"From 203.0.113.7, after 5 failures."},
		Tables:  []channel.Table{{Title: "Users", Rows: []channel.Row{{Name: "root", Count: 6}}}},
		Link:    "https://pi.example.org/?a=1&b=2",
	})
	if err != nil || answer != "200 ok" {
		t.Fatalf("%q, %v", answer, err)
	}
	want := sent{Path: "/bot42:SECRET/sendMessage", Chat: "-100123", Mode: "HTML", Text: `<b>root logged in on web1</b>
From 203.0.113.7, after 5 failures.

<b>Users</b>
<code>6  root</code>

https://pi.example.org/?a=1&amp;b=2`}
	if len(*got) != 1 || (*got)[0] != want {
		t.Errorf("sent %+v, want %+v", *got, want)
	}
}

// A user name is an attacker's: it can be markup, and must stay text.
func TestMarkupStaysText(t *testing.T) {
	c, got := fake(t, taken)
	hostile := `</code><a href="https://192.0.2.1/">click & win</a>`
	m := channel.Message{Subject: hostile, Lines: []string{hostile}, Tables: []channel.Table{{Title: "Users", Rows: []channel.Row{{Name: hostile, Count: 1}}}}}
	if _, err := c.Send(t.Context(), &m); err != nil {
		t.Fatal(err)
	}
	text := (*got)[0].Text
	if strings.Contains(text, "<a") || strings.Count(text, "click &amp; win") != 3 || strings.Count(text, "<code>") != 1 {
		t.Errorf("sent %s", text)
	}
}

func TestLongMessagesAreCutBetweenTags(t *testing.T) {
	c, got := fake(t, taken)
	m := channel.Message{Subject: strings.Repeat("s", 5000), Link: "https://pi.example.org/"}
	for range 300 {
		m.Lines = append(m.Lines, strings.Repeat("<", 30))
	}
	if _, err := c.Send(t.Context(), &m); err != nil {
		t.Fatal(err)
	}
	text := (*got)[0].Text
	plain := strings.NewReplacer("<b>", "", "</b>", "", "&lt;", "<").Replace(text)
	if len([]rune(plain)) > 4096 || len(plain) < 3500 {
		t.Errorf("%d characters, at most 4096 are allowed", len([]rune(plain)))
	}
	if !strings.HasSuffix(text, "https://pi.example.org/") || strings.Count(text, "<b>") != strings.Count(text, "</b>") {
		t.Errorf("cut in the wrong place: %s", text)
	}
}

func TestAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		answers []string
		says    string
		want    *channel.Failure
		chats   []string
	}{
		"too fast": {
			answers: []string{`{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 17","parameters":{"retry_after":17}}`},
			want:    &channel.Failure{Outcome: channel.Throttled, Wait: 17 * time.Second, Answer: "429 Too Many Requests: retry after 17"},
			chats:   []string{"-100123"},
		},
		"no such chat": {
			answers: []string{`{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}`},
			want:    &channel.Failure{Outcome: channel.Refused, Answer: "400 Bad Request: chat not found"},
			chats:   []string{"-100123"},
		},
		"down": {
			answers: []string{`{"ok":false,"error_code":502,"description":"Bad Gateway"}`},
			want:    &channel.Failure{Outcome: channel.Failed, Answer: "502 Bad Gateway"},
			chats:   []string{"-100123"},
		},
		"moved": {
			answers: []string{`{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded to a supergroup chat","parameters":{"migrate_to_chat_id":-1009}}`, taken},
			says:    "the group has moved: set chat to -1009. 200 ok",
			chats:   []string{"-100123", "-1009"},
		},
		"unparsed": {
			answers: []string{`{"ok":false,"error_code":400,"description":"Bad Request: can't parse entities: Unsupported start tag"}`, taken},
			says:    "200 ok",
			chats:   []string{"-100123", "-100123"},
		},
		"no Telegram at all": {
			answers: []string{"<html>login to the hotel's network</html>"},
			want:    &channel.Failure{Outcome: channel.Failed, Answer: "it is no Telegram: 200 <html>login to the hotel's network</html>"},
			chats:   []string{"-100123"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, got := fake(t, test.answers...)
			says, err := c.Send(t.Context(), &channel.Message{Subject: "x"})
			var failure *channel.Failure
			errors.As(err, &failure)
			if says != test.says || (failure == nil) != (test.want == nil) || failure != nil && *failure != *test.want {
				t.Errorf("says %q, %+v; want %q, %+v", says, failure, test.says, test.want)
			}
			for i, chat := range test.chats {
				if (*got)[i].Chat != chat {
					t.Errorf("message %d went to %s, want %s", i, (*got)[i].Chat, chat)
				}
			}
			if name == "unparsed" && (*got)[1].Mode != "" {
				t.Error("the second attempt is formatted, too")
			}
		})
	}
}
