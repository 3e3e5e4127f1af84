package page_test

import (
	"context"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/pialert/pialert/display/internal/page"
	"github.com/pialert/pialert/display/internal/page/pagetest"
	"github.com/pialert/pialert/pkg/attack"
)

// hostile are texts that an attacker would like to see shown.
var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`, `javascript:alert(1)`,
	"a\u202egpj.exe\u202c", "\u2066\u2069\u200f", "nul\x00nul", "\x1b[2J", "bad\xffutf8\xc0\x80", "{{.}}", "]]>--><!--",
	strings.Repeat("é", 128), strings.Repeat("A", 256), "\r\nSet-Cookie: x=y", "&lt;b&gt;",
}

func TestHostileTextIsShownEscapedEverywhere(t *testing.T) {
	d := pagetest.NewDesk(noon)
	d.Records = nil
	at := noon.Add(-time.Minute)
	for _, text := range hostile {
		source := netip.MustParseAddr("192.0.2.66")
		event := attack.Event{Kind: attack.SSHLogin, Severity: attack.Medium, Logged: at, Observed: at, Count: 1, User: text, SourceIP: source, SourceHost: text}
		d.Add("vps", at, event)
		event.SourceIP = netip.Addr{}
		d.Add("vps", at, event)
		event.SourceIP, event.Kind = source, attack.HTTPProbe
		event.Detail = attack.HTTP{Method: text[:min(len(text), 64)], Target: strings.Repeat(text, 1024/len(text)), UserAgent: text, Host: text[:min(len(text), 255)]}
		d.Add("blog", at, event)
		for kind, detail := range map[attack.Kind]attack.Detail{
			attack.SSHProbe: attack.SSH{Reason: text}, attack.Ban: attack.BanInfo{Jail: text[:min(len(text), 64)]},
			attack.LocalAuth: attack.Local{Service: text, Target: text, TTY: text}, attack.MailLogin: attack.Service{Name: text, Reason: text},
		} {
			event.Kind, event.Detail = kind, detail
			d.Add("mail", at, event)
		}
	}
	d.Records = append(d.Records, page.Record{ID: 1 << 20, Agent: "vps", Arrived: at, Note: hostile[0] + hostile[4], By: -5})
	state := func(ctx context.Context) (page.State, error) { // a service may answer anything
		state, err := d.State(ctx)
		for _, text := range hostile {
			state.Notices = append(state.Notices, page.Notice{Channel: "phone", Answer: text})
		}
		return state, err
	}
	s := page.New(page.Options{
		History: d, State: state, Zone: utc, Now: d.Now,
		Place: func(netip.Addr) page.Place { return page.Place{Country: hostile[1], Network: hostile[0]} },
	})
	paths := []string{"/", "/history?range=90m", "/history?range=90m&by=agent", "/sources", "/source/192.0.2.66", "/agents", "/search?q=" + url.QueryEscape("<")}
	for _, text := range hostile {
		paths = append(paths, "/user?user="+url.QueryEscape(text), "/search?q="+url.QueryEscape(text),
			"/source/"+url.PathEscape(text), "/history?kind="+url.QueryEscape(text), "/history?agent="+url.QueryEscape(text),
			"/login?next="+url.QueryEscape(text))
	}
	for _, path := range paths {
		body := ask(s, "GET", path, nil).Body.String()
		if problem := unsafe(body); problem != "" {
			t.Errorf("%.80s: %s", path, problem)
		}
	}
}

var (
	tags     = regexp.MustCompile(`<[a-zA-Z!/][^>]*>`)
	values   = regexp.MustCompile(`="[^"]*"`) // a quote in a value would end it
	handlers = regexp.MustCompile(`(?i)\s(on[a-z]+|style|srcdoc)\b|['<]`)
	abroad   = regexp.MustCompile(`(?i)(?:href|src|action)="\s*(?:[a-z]+:|//|#?")`)
	scripts  = regexp.MustCompile(`<script( src="/assets/[^"]+")( defer| type="module")></script>`)
)

// unsafe says what is in a page that must not be; nothing if all is well.
func unsafe(body string) string {
	for _, tag := range tags.FindAllString(body, -1) {
		if handlers.MatchString(values.ReplaceAllString(tag[1:], "=")) || abroad.MatchString(tag) {
			return "the tag " + tag
		}
	}
	rest := scripts.ReplaceAllString(body, "")
	if i := strings.Index(rest, "<script"); i >= 0 {
		return "a script: " + rest[i:min(len(rest), i+60)]
	}
	if strings.Contains(strings.ToLower(rest), "<img") {
		return "an image"
	}
	for _, r := range body {
		if r != '\n' && !unicode.IsPrint(r) && r != '\ufffd' {
			return "a character that is not seen: " + string([]rune{r})
		}
	}
	return ""
}
