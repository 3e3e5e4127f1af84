package detect

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/detect/episode"
	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/pkg/attack"
)

// ordinary is what a site's access log is made of.
var ordinary = strings.Split(strings.TrimSpace(`
198.51.100.24 - - [10/Oct/2026:13:55:36 +0000] "GET /blog/2026/10/an-article/?page=2 HTTP/1.1" 200 15326 "https://www.example.com/blog/" "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
198.51.100.24 - - [10/Oct/2026:13:55:36 +0000] "GET /static/site.css?v=17 HTTP/1.1" 304 - "https://www.example.com/blog/" "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
2001:db8:5::17 - - [10/Oct/2026:13:55:37 +0000] "GET /favicon.ico HTTP/1.1" 404 196 "-" "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15"
203.0.113.80 - alice [10/Oct/2026:13:55:37 +0000] "POST /api/notes HTTP/2.0" 201 88 "https://www.example.com/app" "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
203.0.113.81 - - [10/Oct/2026:13:55:38 +0000] "GET /search?q=caf%C3%A9+au+lait HTTP/1.1" 200 5120 "-" "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
198.51.100.90 - - [10/Oct/2026:13:55:39 +0000] "GET /wp-content/uploads/2026/10/cat.jpg HTTP/1.1" 200 80321 "https://www.example.com/" "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1"
`), "\n")

func TestOrdinaryRequestsAllocateNothing(t *testing.T) {
	engine, err := New(Options{Rules: builtinRules(t), Location: time.UTC, Floods: &episode.Limits{MaxRequests: 1 << 30},
		Emit: func(ev *attack.Event, _ uint64) { t.Errorf("%+v", ev) }})
	if err != nil {
		t.Fatal(err)
	}
	src, err := NewSource("access.log", rule.TypeAccess, "")
	if err != nil {
		t.Fatal(err)
	}
	lines := make([][]byte, len(ordinary))
	for i, line := range ordinary {
		lines[i] = []byte(line)
	}
	if n := testing.AllocsPerRun(100, func() {
		for _, line := range lines {
			engine.Feed(src, line, now)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAccess(b *testing.B) {
	attacks := `203.0.113.9 - - [10/Oct/2026:13:55:40 +0000] "GET /.env HTTP/1.1" 404 196 "-" "Mozilla/5.0 zgrab/0.x"`
	for name, lines := range map[string][]string{"ordinary": ordinary, "mixed": append(slices.Clone(ordinary), attacks)} {
		for _, floods := range []*episode.Limits{nil, {MaxRequests: 1 << 30}} {
			b.Run(fmt.Sprintf("%s/floods=%v", name, floods != nil), func(b *testing.B) {
				engine, err := New(Options{Rules: builtinRules(b), Location: time.UTC, Floods: floods, Emit: func(*attack.Event, uint64) {}})
				if err != nil {
					b.Fatal(err)
				}
				src, err := NewSource("access.log", rule.TypeAccess, "")
				if err != nil {
					b.Fatal(err)
				}
				text := make([][]byte, len(lines))
				for i, line := range lines {
					text[i] = []byte(line)
				}
				i := 0
				for b.Loop() {
					engine.Feed(src, text[i%len(text)], now)
					i++
				}
			})
		}
	}
}
