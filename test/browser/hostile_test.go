package browser

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/test/browser/chromium"
)

// hostile are user names that an attacker would like to see shown.
var hostile = []string{
	"<script>window.owned=1</script>", `"><img src=x onerror=window.owned=1>`, "' onmouseover='window.owned=1",
	"a\u202egpj.exe", "nul\x00nul", "\x1b[2J", "bad\xffutf8", "</td></tr></table><h1>owned</h1>", strings.Repeat("W", 250),
}

// hostileTarget is what a request can ask for: a kilobyte, as Apache logs it.
var hostileTarget = `/.env?<script>window.owned=1</script>\"><img/src=x/onerror=window.owned=1>\xe2\x80\xae` + strings.Repeat("W", 900)

// From a log line to the browser's DOM, on every page, live and loaded: text stays text.
func TestHostileNamesStayText(t *testing.T) {
	log, access := filepath.Join(t.TempDir(), "auth.log"), filepath.Join(t.TempDir(), "access.log")
	s := start(t, fmt.Sprintf("{path: %q, start: beginning}", log), fmt.Sprintf("{path: %q, type: access, start: beginning}", access))
	s.open(chromium.Phone, "/")
	var lines strings.Builder
	for i, name := range hostile {
		fmt.Fprintf(&lines, "%s vps sshd[%d]: Failed password for invalid user %s from %s port 40000 ssh2\n",
			time.Now().Format("2006-01-02T15:04:05.000000-07:00"), 4000+i, name, mallory)
	}
	s.must(os.WriteFile(log, []byte(lines.String()), 0o644))
	s.must(os.WriteFile(access, fmt.Appendf(nil, "%s - - [%s] \"GET %s HTTP/1.1\" 404 12 \"-\" \"<script>window.owned=1</script>\"\n",
		mallory, time.Now().Format("02/Jan/2006:15:04:05 -0700"), hostileTarget), 0o644))
	await(t, "[...document.querySelectorAll('.events .kind')].some(k => k.textContent.includes('http'))")
	await(t, fmt.Sprintf("[...document.querySelectorAll('.events .kind')].filter(k => k.textContent.includes('ssh login')).length === %d", len(hostile)))
	check := func(where string) {
		t.Helper()
		if value[bool](t, "'owned' in window || document.querySelector('main script, main img, main h1:not(.away) ~ h1') !== null") {
			t.Errorf("%s: text became more than text", where)
		}
		if bad := value[string](t, `[...document.querySelector('main').innerText].find(c => /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/.test(c)) ?? ''`); bad != "" {
			t.Errorf("%s: %q is in the text", where, bad)
		}
		if wide := value[float64](t, "document.documentElement.scrollWidth - innerWidth"); wide > 0 {
			t.Errorf("%s is %v pixels too wide", where, wide)
		}
	}
	check("the live page")
	shown := value[string](t, "document.querySelector('.events').textContent")
	for _, want := range []string{"<script>window.owned=1</script>", `a\u202egpj.exe`, `nul\x00nul`, `bad\xffutf8`, "</td></tr></table><h1>owned</h1>"} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not shown:\n%s", want, shown)
		}
	}
	if !strings.Contains(shown, strings.Repeat("W", 900)) {
		t.Error("the request of a kilobyte is not shown whole")
	}
	paths := []string{"/", "/history", "/sources", "/source/" + mallory.String(), "/search?q=owned"}
	for _, name := range hostile {
		paths = append(paths, "/user?user="+url.QueryEscape(name[:min(len(name), 256)]))
	}
	for _, path := range paths {
		s.open(chromium.Phone, path)
		check(path)
	}
}
