package eventjson_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/eventjson"
)

func ExamplePrinter_Append() {
	event := attack.Event{
		Kind: attack.HTTPProbe, Severity: attack.Low, Rule: "http-dotenv", Count: 1, Host: "web-2", Log: "/var/log/nginx/access.log",
		Logged:   time.Date(2026, 11, 20, 18, 4, 30, 0, time.UTC),
		SourceIP: netip.MustParseAddr("192.0.2.7"), Detail: attack.HTTP{Method: "GET", Target: "/.env\x1b[2J", Status: 404},
	}
	var p eventjson.Printer
	fmt.Printf("%s", p.Append(nil, &event, eventjson.Where{Agent: "vps", Arrived: event.Logged.Add(time.Second)}))
	// Output:
	// {"agent":"vps","arrived":"2026-11-20T18:04:31Z","file":"/var/log/nginx/access.log","time":"2026-11-20T18:04:30Z","kind":"http_probe","rule":"http-dotenv","source_ip":"192.0.2.7","count":1,"severity":"low","host":"web-2","detail":{"method":"GET","target":"/.env\u001b[2J","status":404}}
}

// Whatever is in the fields, a line is one line that a terminal does not act on, and says what they hold.
func TestHostileFields(t *testing.T) {
	for _, one := range []struct{ text, want string }{
		{"a\nb\r\tc", "a\nb\r\tc"},
		{"quo\"te\\", "quo\"te\\"},
		{"\x00\x1b[31m\x7f", "\x00\x1b[31m\x7f"},
		{"C1 \u009b2J \u0085", "C1 \u009b2J \u0085"},
		{"turned \u202egpj.exe \u2066\u200f", "turned \u202egpj.exe \u2066\u200f"},
		{"lines \u2028\u2029 \ufeff \U000e0041", "lines \u2028\u2029 \ufeff \U000e0041"},
		{"latin \xe9 \x9b", `latin \xe9 \x9b`}, // bytes that JSON has no way to write
		{"Jörg 東京 😀", "Jörg 東京 😀"},
	} {
		event := attack.Event{Kind: attack.SSHLogin, Count: 1, User: one.text, SourceHost: one.text, Host: one.text, Log: one.text, Rule: one.text,
			Detail: attack.HTTP{UserAgent: one.text}}
		var p eventjson.Printer
		line := string(p.Append(nil, &event, eventjson.Where{Agent: one.text}))
		text, ended := strings.CutSuffix(line, "\n")
		if !ended || strings.ContainsFunc(text, func(r rune) bool { return !strconv.IsPrint(r) }) {
			t.Errorf("%q becomes %q", one.text, line)
		}
		var got eventjson.Line
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Errorf("%q becomes %q: %v", one.text, line, err)
		}
		for name, field := range map[string]any{"agent": got.Agent, "file": got.File, "rule": got.Rule, "host": got.Host, "user": got.User,
			"source_host": got.SourceHost, "detail": got.Detail["user_agent"]} {
			if field != one.want {
				t.Errorf("%s is %q, want %q", name, field, one.want)
			}
		}
	}
}
