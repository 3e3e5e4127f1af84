package page_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pialert/pialert/display/internal/page"
	"github.com/pialert/pialert/display/internal/page/pagetest"
)

func utc() *time.Location { return time.UTC }

// noon is the time of the examples.
var noon = time.Date(2026, time.November, 20, 18, 4, 30, 0, time.UTC)

// desk is the example, with what the test changes.
func desk(change func(*page.Options)) *page.Server {
	d := pagetest.NewDesk(noon)
	options := page.Options{Name: "desk", History: d, State: d.State, Place: d.Place, Zone: utc, Now: d.Now}
	if change != nil {
		change(&options)
	}
	return page.New(options)
}

// ask sends a request as a browser on this machine does.
func ask(s http.Handler, method, path string, form url.Values, header ...string) *httptest.ResponseRecorder {
	// What does not end, as a stream that should have been refused, ends here.
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	r := httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(form.Encode()))
	r.Host, r.RemoteAddr = "localhost:9480", "127.0.0.1:50000"
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// Another site whose name resolves to this machine sends its own name (DNS rebinding).
func TestOnlyKnownHostsAreServed(t *testing.T) {
	s := desk(func(o *page.Options) { o.Access.Hosts = []string{"Pi.local"} })
	for host, want := range map[string]int{
		"localhost:9480": 200, "LOCALHOST": 200, "127.0.0.1:9480": 200, "127.8.8.8": 200, "[::1]:9480": 200, "[::ffff:127.0.0.1]": 200,
		"pi.local:9480": 200, "pi.local.": 200,
		"evil.example": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example": 421, "": 421, "192.0.2.1": 421, "pi": 421,
	} {
		for _, path := range []string{"/", "/live", "/assets/page.js", "/login"} {
			if path == "/live" && want == 200 {
				continue // it does not end
			}
			want := want
			if path == "/login" && want == 200 {
				want = 303 // there is no password
			}
			if got := ask(s, "GET", path, nil, "Host", host).Code; got != want {
				t.Errorf("%s of host %q: status %d, want %d", path, host, got, want)
			}
		}
	}
}

// An address cannot be made to resolve to this machine, so the one that a request came to may stand in
// its Host, and no other.
func TestTheAddressOfTheConnectionIsServed(t *testing.T) {
	s := desk(nil)
	for host, want := range map[string]int{"192.0.2.8": 200, "192.0.2.8:9480": 200, "[::ffff:192.0.2.8]:9480": 200, "192.0.2.9": 421, "[2001:db8::8]": 421} {
		r := httptest.NewRequest("GET", "/agents", nil)
		r.Host = host
		w := httptest.NewRecorder()
		local := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 8), Port: 9480}
		s.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, local)))
		if w.Code != want {
			t.Errorf("%s of 192.0.2.8: status %d, want %d", host, w.Code, want)
		}
	}
}

// What a page may load and do, who may embed it and read it, and whether it is kept, is said to the
// browser in every answer.
func TestEveryAnswerForbidsWhatPagesDoNotNeed(t *testing.T) {
	s := desk(nil)
	want := map[string]string{
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
			"form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
		"Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
	}
	for _, path := range []string{"/", "/history", "/sources", "/source/192.0.2.1", "/user?user=root", "/agents", "/counters",
		"/search?q=a", "/login", "/nowhere", "/source/x", "/assets/page.css", "/assets/lamps.css"} {
		header := ask(s, "GET", path, nil).Header()
		for name, value := range want {
			if got := header.Get(name); got != value {
				t.Errorf("%s of %s is %q, want %q", name, path, got, value)
			}
		}
		if kept := header.Get("Cache-Control"); !strings.HasPrefix(path, "/assets/") && kept != "no-store" {
			t.Errorf("%s may be kept: %q", path, kept)
		}
	}
}

// With a password nothing is shown without it, and its hash is none that a stolen file gives away.
func TestPassword(t *testing.T) {
	hash, err := page.HashPassword("correct horse")
	if err != nil || strings.Contains(hash, "correct") || !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("%q, %v", hash, err)
	}
	if _, err := page.HashPassword("short"); err == nil {
		t.Error("a password of five characters was accepted")
	}
	s := desk(func(o *page.Options) { o.Access.Password = func() (string, error) { return hash, nil } })
	for _, path := range []string{"/", "/history?range=7d", "/sources", "/source/192.0.2.1", "/user?user=root", "/agents", "/counters", "/search?q=a"} {
		w := ask(s, "GET", path, nil)
		if w.Code != http.StatusSeeOther || !strings.HasPrefix(w.Header().Get("Location"), "/login") || strings.Contains(w.Body.String(), "attempts") {
			t.Errorf("%s: status %d to %q", path, w.Code, w.Header().Get("Location"))
		}
	}
	for _, path := range []string{"/live", "/assets/lamps.css"} {
		if w := ask(s, "GET", path, nil); w.Code != http.StatusUnauthorized {
			t.Errorf("%s: status %d", path, w.Code)
		}
	}
	if w := ask(s, "POST", "/login", url.Values{"password": {"wrong horse"}}); w.Code != http.StatusUnauthorized || w.Header().Get("Set-Cookie") != "" {
		t.Errorf("a wrong password: status %d, %v", w.Code, w.Header())
	}
	w := ask(s, "POST", "/login", url.Values{"password": {"correct horse"}, "next": {"/history?range=7d"}})
	cookie := w.Header().Get("Set-Cookie")
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/history?range=7d" {
		t.Fatalf("the password: status %d to %q", w.Code, w.Header().Get("Location"))
	}
	for _, part := range []string{"HttpOnly", "SameSite=Strict", "Path=/", "Max-Age="} {
		if !strings.Contains(cookie, part) {
			t.Errorf("the cookie is %q, without %s", cookie, part)
		}
	}
	shown, _, _ := strings.Cut(cookie, ";")
	if w := ask(s, "GET", "/", nil, "Cookie", shown); w.Code != 200 {
		t.Errorf("logged in: status %d", w.Code)
	}
	if w := ask(s, "GET", "/", nil, "Cookie", shown+"x"); w.Code != http.StatusSeeOther {
		t.Errorf("another cookie: status %d", w.Code)
	}
	ask(s, "POST", "/logout", nil, "Cookie", shown)
	if w := ask(s, "GET", "/", nil, "Cookie", shown); w.Code != http.StatusSeeOther {
		t.Errorf("logged out: status %d", w.Code)
	}
}

// A hash that asks for more than this program would ever spend lets nobody in, and neither does one that
// cannot be read.
func TestAHashOfAnothersMakingLetsNobodyIn(t *testing.T) {
	hash, err := page.HashPassword("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	for _, kept := range []func() (string, error){
		func() (string, error) { return strings.Replace(hash, "t=2", "t=0", 1), nil },
		func() (string, error) { return strings.Replace(hash, "t=2", "t=17", 1), nil },
		func() (string, error) { return strings.Replace(hash, "p=1", "p=17", 1), nil },
		func() (string, error) { return strings.Replace(hash, "m=19456", "m=1048577", 1), nil },
		func() (string, error) { return strings.Replace(hash, "argon2id", "argon2i", 1), nil },
		func() (string, error) { return hash[:len(hash)-43], nil }, // without the sum
		func() (string, error) { return "correct horse", nil },
		func() (string, error) { return "", errors.New("the disk is broken") },
	} {
		s := desk(func(o *page.Options) { o.Access.Password = kept })
		text, _ := kept()
		if w := ask(s, "GET", "/", nil); w.Code != http.StatusSeeOther {
			t.Errorf("%q: without a login, status %d", text, w.Code)
		}
		if w := ask(s, "POST", "/login", url.Values{"password": {"correct horse"}}); w.Code != http.StatusUnauthorized && w.Code != http.StatusInternalServerError {
			t.Errorf("%q: status %d", text, w.Code)
		}
	}
}

func TestANewPasswordEndsTheSessionsOfTheOld(t *testing.T) {
	first, _ := page.HashPassword("first password")
	second, _ := page.HashPassword("second password")
	hash := first
	s := desk(func(o *page.Options) { o.Access.Password = func() (string, error) { return hash, nil } })
	cookie, _, _ := strings.Cut(ask(s, "POST", "/login", url.Values{"password": {"first password"}}).Header().Get("Set-Cookie"), ";")
	if w := ask(s, "GET", "/agents", nil, "Cookie", cookie); w.Code != 200 {
		t.Fatalf("logged in: status %d", w.Code)
	}
	hash = second
	if w := ask(s, "GET", "/agents", nil, "Cookie", cookie); w.Code != http.StatusSeeOther {
		t.Errorf("after a new password: status %d", w.Code)
	}
	hash = first
	if w := ask(s, "GET", "/agents", nil, "Cookie", cookie); w.Code != http.StatusSeeOther {
		t.Errorf("the session came back with the old password: status %d", w.Code)
	}
}

// A session lasts a week and wrong passwords five tries, and both are by the clock.
func TestTimeEndsSessionsAndGivesTriesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hash, _ := page.HashPassword("correct horse")
		s := desk(func(o *page.Options) {
			o.Now = time.Now
			o.Access.Password = func() (string, error) { return hash, nil }
		})
		cookie, _, _ := strings.Cut(ask(s, "POST", "/login", url.Values{"password": {"correct horse"}}).Header().Get("Set-Cookie"), ";")
		time.Sleep(7*24*time.Hour - time.Second)
		if w := ask(s, "GET", "/agents", nil, "Cookie", cookie); w.Code != 200 {
			t.Errorf("in the week: status %d", w.Code)
		}
		time.Sleep(2 * time.Second)
		if w := ask(s, "GET", "/agents", nil, "Cookie", cookie); w.Code != http.StatusSeeOther {
			t.Errorf("after the week: status %d", w.Code)
		}
		wrong := func() *httptest.ResponseRecorder {
			return ask(s, "POST", "/login", url.Values{"password": {"wrong horse"}})
		}
		for range 5 {
			if w := wrong(); w.Code != http.StatusUnauthorized {
				t.Fatalf("a wrong password: status %d", w.Code)
			}
		}
		if w := wrong(); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
			t.Errorf("the sixth: status %d", w.Code)
		}
		if w := ask(s, "POST", "/login", url.Values{"password": {"correct horse"}}); w.Code != http.StatusTooManyRequests {
			t.Errorf("the right one at the seventh try: status %d", w.Code)
		}
		time.Sleep(21 * time.Second)
		if w := ask(s, "POST", "/login", url.Values{"password": {"correct horse"}}); w.Code != http.StatusSeeOther {
			t.Errorf("after a while: status %d", w.Code)
		}
	})
}

// Other addresses go on, however many try; what is remembered of them is bounded.
func TestOneAddressCannotLockOutAnother(t *testing.T) {
	hash, _ := page.HashPassword("correct horse")
	s := desk(func(o *page.Options) { o.Access.Password = func() (string, error) { return hash, nil } })
	from := func(remote string) int {
		r := httptest.NewRequest("POST", "/login", strings.NewReader("password="))
		r.Host, r.RemoteAddr = "localhost", remote
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Code
	}
	for i := range 6 { // one customer has a whole /64
		if got := from(fmt.Sprintf("[2001:db8::%d]:1", i)); got == http.StatusTooManyRequests != (i == 5) {
			t.Errorf("try %d of a network: status %d", i, got)
		}
	}
	if got := from("[2001:db8:1::1]:1"); got != http.StatusUnauthorized {
		t.Errorf("another network: status %d", got)
	}
}

// A form on another site cannot log anybody in or out.
func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	s := desk(nil)
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"},
	} {
		for _, path := range []string{"/login", "/logout"} {
			if w := ask(s, "POST", path, nil, header...); w.Code != http.StatusForbidden {
				t.Errorf("%s with %v: status %d", path, header, w.Code)
			}
		}
	}
}

// The page is read-only.
func TestNothingButTheLoginTakesAForm(t *testing.T) {
	s := desk(nil)
	for _, path := range []string{"/", "/history", "/sources", "/source/192.0.2.1", "/user", "/agents", "/counters", "/search", "/live", "/assets/page.js"} {
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH"} {
			if w := ask(s, method, path, nil); w.Code != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: status %d", method, path, w.Code)
			}
		}
	}
}

func TestALoginLeadsNowhereElse(t *testing.T) {
	s := desk(nil) // without a password a login only leads on
	for next, want := range map[string]string{
		"/history?range=7d#events": "/history?range=7d#events", "": "/",
		"//evil.example": "/", "https://evil.example": "/", "evil": "/", `/\evil.example`: "/", "javascript:alert(1)": "/",
	} {
		if got := ask(s, "POST", "/login", url.Values{"next": {next}}).Header().Get("Location"); got != want {
			t.Errorf("after %q it leads to %q, want %q", next, got, want)
		}
	}
}
