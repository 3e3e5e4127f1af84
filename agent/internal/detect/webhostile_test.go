package detect

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/pialert/pialert/agent/internal/rule"
)

// Whatever clients write: no event has another address than that of the line, and none is
// outside its bounds (newWebRun checks each).
func TestWebAddressesCannotBeForged(t *testing.T) {
	t.Parallel()
	run := newWebRun(t, builtinRules(t))
	run.options.Floods = nil
	run.restart()
	r := rand.New(rand.NewPCG(3, 3))
	pieces := []string{"203.0.113.9", " - - ", `\"`, `\\`, "[01/Jan/2026:00:00:00 +0000]", "[client 203.0.113.9:80] ", "AH01617: user a not found: /", "/.env",
		"GET / HTTP/1.1", ", client: 203.0.113.9, server: s", "user root: authentication failure for ", ": Password Mismatch", "${jndi:", "../../", "\x00", "\xff"}
	text := func() string {
		var b strings.Builder
		for range r.IntN(8) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		return b.String()
	}
	for range 5000 {
		run.feed("access.log", fmt.Sprintf(`192.0.2.7 - %sx [01/Jan/2026:00:00:00 +0000] "GET /%s HTTP/1.1" 401 5 "%s" "%s"`, text(), text(), text(), text()))
		run.feed("error.log", `[Thu Jan 01 00:00:00.5 2026] [core:error] [pid 1] [client 192.0.2.7:99] AH01618: `+text())
		run.feed("error.log", `[Thu Jan 01 00:00:00.5 2026] [core:error] [pid 1] [client 192.0.2.7:99] AH00128: File does not exist: /`+text()+", referer: "+text())
	}
	if len(run.events) < 5000 {
		t.Errorf("only %d events", len(run.events))
	}
	for _, ev := range run.events {
		if ev.SourceIP.String() != "192.0.2.7" || ev.SourceHost != "" {
			t.Fatalf("%+v", ev)
		}
	}
}

func FuzzWebLines(f *testing.F) {
	rules := builtinRules(f)
	for _, name := range []string{"access", "custom", "error", "vhost"} {
		text, err := os.ReadFile("testdata/real/apache-2.4-" + name + ".log")
		if err != nil {
			f.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			f.Add(string(line))
		}
	}
	f.Fuzz(func(t *testing.T, line string) {
		run := newWebRun(t, rules)
		for _, typ := range []rule.Type{rule.TypeAuto, rule.TypeAccess, rule.TypeError} {
			src, err := NewSource("log", typ, "")
			if err != nil {
				t.Fatal(err)
			}
			run.engine.Feed(src, []byte(line), now)
		}
		run.restart()
		if _, err := Explain(Options{Rules: rules}, line); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzRestoreWeb(f *testing.F) {
	rules := builtinRules(f)
	f.Add("web/report/0", []byte{1, 4, 1, 0, 0, 192, 0, 2, 7})
	f.Add("web/flood/192.0.2.7/32 GET", []byte{2, 15, 9, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		run := newWebRun(t, rules)
		if ok, _ := run.engine.restoreWeb(key, value); ok {
			run.feed("a", `192.0.2.7 - eve [01/Jan/2026:00:00:00 +0000] "GET /x HTTP/1.1" 401 5`)
			run.feed("e", `[Thu Jan 01 00:00:00.5 2026] [auth_basic:error] [pid 1] [client 192.0.2.7:99] AH01618: user eve not found: /x`)
			run.restart()
		}
	})
}
