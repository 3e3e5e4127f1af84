package intake

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/value"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/eventjson"
)

// kept is a sink.
type kept struct {
	memory *Memory
	events []attack.Event
	noted  []attack.Event
	fault  error
}

func (k *kept) Commit(_ context.Context, do func(*Memory, func(*attack.Event))) error {
	if k.fault != nil {
		return k.fault
	}
	do(k.memory, func(e *attack.Event) { k.events = append(k.events, *e) })
	return nil
}

func (k *kept) Note(e *attack.Event) { k.noted = append(k.noted, *e) }

const secret = "0123456789abcdef"

func newServer() (*Server, *kept) {
	k := &kept{memory: NewMemory()}
	return &Server{
		Tokens: []Token{
			{Name: "nas", Value: secret, Host: "nas", Kinds: []attack.Kind{attack.WebLogin, attack.SSHLogin, attack.Ban, attack.Unban, attack.Counter}},
			{Name: "other", Value: "another-secret-token", Host: "other", Kinds: []attack.Kind{attack.Visit}},
		},
		Paths:    map[string]Path{"red": {Kind: attack.SSHLogin}, "blue": {Kind: attack.WordPressLogin}, "a": {Kind: attack.SSHLogin, Host: "a"}},
		Counters: []string{"prints"},
		Sink:     k, Now: func() time.Time { return noon },
	}, k
}

// ask sends a request and returns its answer.
func ask(s *Server, method, target, body string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.RemoteAddr = "192.0.2.9:4000"
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func bearer(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

func basic(user, token string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(user, token) }
}

func idempotent(key string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Idempotency-Key", key) }
}

const login = `{"kind":"web_login","source_ip":"203.0.113.7","user":"admin","detail":{"service":"app","reason":"wrong password"}}`

func TestRequests(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, method, target, body string
		with                       func(*http.Request)
		status                     int
		want                       []string // events
	}{
		{"one event", "POST", "/v1/events", login, bearer(secret), 200, []string{"web_login 203.0.113.7 admin 1 nas"}},
		{"a list", "POST", "/v1/events", "[" + login + "," + login + "]", bearer(secret), 200,
			[]string{"web_login 203.0.113.7 admin 1 nas", "web_login 203.0.113.7 admin 1 nas"}},
		{"lines", "POST", "/v1/events", login + "\n" + login + "\n", bearer(secret), 200,
			[]string{"web_login 203.0.113.7 admin 1 nas", "web_login 203.0.113.7 admin 1 nas"}},
		{"its own host", "POST", "/v1/events", `{"kind":"web_login","host":"nas","count":7}`, bearer(secret), 200, []string{"web_login invalid IP  7 nas"}},
		{"another host", "POST", "/v1/events", `{"kind":"web_login","host":"web"}`, bearer(secret), 403, nil},
		{"a kind that it may not", "POST", "/v1/events", `{"kind":"ftp_login"}`, bearer(secret), 403, nil},
		{"one of two that it may not", "POST", "/v1/events", login + `{"kind":"ftp_login"}`, bearer(secret), 403, nil},
		{"a kind that nobody may", "POST", "/v1/events", `{"kind":"http_flood"}`, bearer(secret), 400, nil},
		{"no kind", "POST", "/v1/events", `{}`, bearer(secret), 400, nil},
		{"a field too many", "POST", "/v1/events", `{"kind":"web_login","x":1}`, bearer(secret), 400, nil},
		{"a number too large", "POST", "/v1/events", `{"kind":"web_login","count":9999999999}`, bearer(secret), 400, nil},
		{"a name too long", "POST", "/v1/events", `{"kind":"web_login","user":"` + strings.Repeat("x", 300) + `"}`, bearer(secret), 400, nil},
		{"the future", "POST", "/v1/events", `{"kind":"web_login","time":"2027-11-20T12:00:00Z"}`, bearer(secret), 400, nil},
		{"no JSON", "POST", "/v1/events", `hello`, bearer(secret), 400, nil},
		{"half a list", "POST", "/v1/events", "[" + login, bearer(secret), 400, nil},
		{"more behind a list", "POST", "/v1/events", "[" + login + "]]", bearer(secret), 400, nil},
		{"nothing", "POST", "/v1/events", "", bearer(secret), 400, nil},
		{"too much", "POST", "/v1/events", strings.Repeat(" ", MaxBody+1), bearer(secret), 413, nil},
		{"too many", "POST", "/v1/events", strings.Repeat(login, MaxEvents+1), bearer(secret), 400, nil},
		{"another method", "GET", "/v1/events", "", bearer(secret), 405, nil},
		{"red, basic", "GET", "/red", "", basic("nas", secret), 200, []string{"ssh_login invalid IP  1 nas"}},
		{"red, in the address", "GET", "/red?token=" + secret, "", nil, 200, []string{"ssh_login invalid IP  1 nas"}},
		{"red, with an address", "POST", "/red?ip=203.0.113.7", "", bearer(secret), 200, []string{"ssh_login 203.0.113.7  1 nas"}},
		{"a path of another machine", "GET", "/a", "", bearer(secret), 200, []string{"ssh_login invalid IP  1 a"}},
		{"blue, which it may not", "GET", "/blue", "", bearer(secret), 403, nil},
		{"a ban", "GET", "/ban.php?jail=sshd&ip=203.0.113.7", "", bearer(secret), 200, []string{"ban 203.0.113.7  1 nas"}},
		{"a ban without an address", "GET", "/ban.php?jail=sshd&ip=<script>", "", bearer(secret), 400, nil},
		{"a counter", "GET", "/count/prints", "", bearer(secret), 200, []string{"counter invalid IP  1 nas"}},
		{"a counter's value", "POST", "/count/prints?value=17", "", bearer(secret), 200, []string{"counter invalid IP  17 nas"}},
		{"a counter that is not listed", "GET", "/count/doors", "", bearer(secret), 404, nil},
		{"a value that is none", "GET", "/count/prints?value=-1", "", bearer(secret), 400, nil},
		{"a counter as an event", "POST", "/v1/events", `{"kind":"counter","count":3,"detail":{"key":"prints","value":3}}`, bearer(secret), 200, []string{"counter invalid IP  3 nas"}},
		{"a counter that is not listed, as an event", "POST", "/v1/events", `{"kind":"counter","detail":{"key":"doors","value":3}}`, bearer(secret), 403, nil},
		{"elsewhere", "GET", "/admin", "", bearer(secret), 404, nil},
		{"another's token", "GET", "/red", "", bearer("another-secret-token"), 403, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, k := newServer()
			var changes []func(*http.Request)
			if test.with != nil {
				changes = append(changes, test.with)
			}
			w := ask(s, test.method, test.target, test.body, changes...)
			var got []string
			for _, e := range k.events {
				if err := e.Check(); err != nil {
					t.Error(err)
				}
				got = append(got, fmt.Sprint(e.Kind, " ", e.SourceIP, " ", e.User, " ", e.Count, " ", e.Host))
			}
			if w.Code != test.status || strings.Join(got, "\n") != strings.Join(test.want, "\n") || len(k.noted) > 0 {
				t.Errorf("%d %s, events %q, want %d %q", w.Code, w.Body, got, test.status, test.want)
			}
			if strings.Contains(w.Body.String(), "script") {
				t.Errorf("the answer repeats what was sent: %s", w.Body)
			}
		})
	}
}

// Whoever shows no token learns nothing of what is there, and is told of.
func TestStrangersGetNothing(t *testing.T) {
	t.Parallel()
	s, k := newServer()
	s.From = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	answers := map[string]bool{}
	n := 0
	for _, target := range []string{"/", "/red", "/v1/events", "/count/prints", "/ban.php", "/.env", "/admin?token=x", "/red?token=" + secret[:15]} {
		for _, method := range []string{"GET", "POST", "DELETE", "OPTIONS"} {
			for _, with := range []func(*http.Request){
				func(*http.Request) {}, bearer("x"), bearer(""), basic("nas", "x"), basic("other", secret), basic("nas", ""),
				func(r *http.Request) {
					r.RemoteAddr = "198.51.100.1:1"
					r.Header.Set("Authorization", "Bearer "+secret)
				},
			} {
				w := ask(s, method, target, "<script>", with)
				answers[fmt.Sprint(w.Code, w.Header(), w.Body)] = true
				n++
			}
		}
	}
	if len(answers) != 1 || len(k.events) != 0 || len(k.noted) != n {
		t.Errorf("%d requests have %d answers, %d events and %d notes: %v", n, len(answers), len(k.events), len(k.noted), answers)
	}
	for _, e := range k.noted {
		if err := e.Check(); err != nil || e.Kind != attack.WebLogin || !e.SourceIP.IsValid() || strings.Contains(fmt.Sprint(e), secret) {
			t.Errorf("%+v: %v", e, err)
		}
	}
	if w := ask(s, "GET", "/red", "", bearer(secret)); w.Code != 200 {
		t.Errorf("who has a token is refused: %d", w.Code)
	}
}

func TestRepeatedRequests(t *testing.T) {
	t.Parallel()
	s, k := newServer()
	for range 3 {
		if w := ask(s, "POST", "/v1/events", login, bearer(secret), idempotent("1")); w.Code != 200 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		// And after a restart.
		saved := map[string][]byte{}
		k.memory.Changes(func(key string, value []byte) { saved[key] = value })
		again := NewMemory()
		for key, value := range saved {
			if err := again.Restore(key, value); err != nil {
				t.Fatal(err)
			}
		}
		if len(saved) > 0 {
			k.memory = again
		}
	}
	ask(s, "POST", "/v1/events", login, bearer(secret), idempotent("2"))
	for range 2 {
		ask(s, "GET", "/ban.php?jail=sshd&ip=203.0.113.7", "", bearer(secret))
	}
	if len(k.events) != 3 {
		t.Errorf("%d events, want one for each key, and one of the ban", len(k.events))
	}
	k.fault = errors.New("the disk is full")
	if w := ask(s, "POST", "/v1/events", login, bearer(secret)); w.Code != 503 {
		t.Errorf("what cannot be kept is answered with %d", w.Code)
	}
	keys := NewKeys()
	for i := range maxKeys + 10 {
		keys.Take("nas", fmt.Sprint(i), noon.Add(time.Duration(i)*time.Second))
	}
	if keys.Tick(noon.Add(48 * time.Hour)); len(keys.known) != 0 {
		t.Errorf("%d keys are remembered for ever", len(keys.known))
	}
}

func TestRates(t *testing.T) {
	t.Parallel()
	s, k := newServer()
	refused := 0
	for range 2 * maxBurst {
		if w := ask(s, "GET", "/count/prints", "", bearer(secret)); w.Code == 429 && w.Header().Get("Retry-After") != "" {
			refused++
		}
	}
	if refused == 0 || len(k.events) < maxBurst || len(k.events)+refused != 2*maxBurst {
		t.Errorf("%d events, %d refused", len(k.events), refused)
	}
	if w := ask(s, "GET", "/x", "", bearer("another-secret-token")); w.Code != 404 {
		t.Errorf("another token is held back, too: %d", w.Code)
	}
}

// What scan prints of an event can be posted, and means the same.
func TestPostingWhatScanPrints(t *testing.T) {
	t.Parallel()
	var printer eventjson.Printer
	for kind, number := range detailOf {
		want := attack.Event{
			Kind: kind, Severity: attack.Low, Rule: "x", Logged: noon.Add(-time.Hour), Observed: noon, SourceIP: netip.MustParseAddr("203.0.113.7"),
			SourcePort: 4022, User: "admin\x00", Count: 3, Host: "nas", Log: "/var/log/x",
		}
		switch number {
		case attack.SSH{}.Number():
			want.Detail = attack.SSH{Method: "password", InvalidUser: true}
		case attack.HTTP{}.Number():
			want.Detail = attack.HTTP{Method: "GET", Target: "/.env", Status: 404, UserAgent: "x", Host: "blog"}
		case attack.Service{}.Number():
			want.Detail = attack.Service{Name: "app", Reason: "wrong"}
		case attack.Count{}.Number():
			want.Detail = attack.Count{Key: "prints", Value: 3}
		}
		line := printer.Append(nil, &want, eventjson.Where{Line: 7, Agent: "vps"})
		if !json.Valid(line) {
			t.Fatalf("%s", line)
		}
		events, err := parseEvents(line, noon)
		if err != nil || len(events) != 1 {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if got := *events[0]; !got.Logged.Equal(want.Logged) {
			t.Errorf("%s is of %s", line, got.Logged)
		} else if got.Logged = want.Logged; got.Detail == nil && want.Detail != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s is\n%+v, want\n%+v", line, got, want)
		}
	}
}

func FuzzEvents(f *testing.F) {
	f.Add([]byte(login))
	f.Add([]byte("[" + login + "]"))
	f.Fuzz(func(t *testing.T, body []byte) {
		events, err := parseEvents(body, noon)
		if (err == nil) != (len(events) > 0) {
			t.Errorf("%d events and %v", len(events), err)
		}
		for _, e := range events {
			if err := e.Check(); err != nil {
				t.Error(err)
			}
		}
	})
}

// Whoever scans the port reads the same whatever is sent, be it a request or not, and each is told of.
func TestStrangersReadOneAnswer(t *testing.T) {
	t.Parallel()
	s, k := newServer()
	var mu sync.Mutex // of the sink
	s.Sink = lockedSink{k, &mu}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, listener) }()
	strange := []string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "OPTIONS / RTSP/1.0\r\n\r\n", "\r\n\r\n", "HELP\r\n\r\n",
		"GET / HTTP/9.9\r\n\r\n", "GET /red HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a b<script>\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nExpect: everything\r\n\r\n",
		"POST /v1/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: rot13\r\n\r\n", "POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
		"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", "TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"GET http://elsewhere/ HTTP/1.1\r\nHost: x\r\n\r\n", "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", "<script>\r\n\r\n",
	}
	for _, said := range strange {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conn.Write([]byte(said))
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%.40q is answered with %v", said, err)
			continue
		}
		body, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusUnauthorized || string(body) != `{"error":"`+noToken+`"}`+"\n" {
			t.Errorf("%.40q is answered with %s: %q, %v", said, response.Status, body, err)
		}
		conn.Close()
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(k.noted) != len(strange) {
		t.Errorf("%d attempts are %d events", len(strange), len(k.noted))
	}
}

// lockedSink is a sink of many connections.
type lockedSink struct {
	*kept
	mu *sync.Mutex
}

func (l lockedSink) Note(e *attack.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept.Note(e)
}

// arrivals is a listener to which connections from addresses come.
type arrivals chan net.Conn

func (a arrivals) Accept() (net.Conn, error) {
	conn, ok := <-a
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (a arrivals) Close() error   { return nil }
func (a arrivals) Addr() net.Addr { return &net.TCPAddr{} }

// arrival is a connection that somebody keeps open.
type arrival struct {
	net.Conn
	from string
}

func (a arrival) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(a.from))
}

// Who opens ever more connections and asks nothing leaves room for others, and has room again when some of his are
// closed.
func TestNobodyTakesTheWholeDoor(t *testing.T) {
	t.Parallel()
	come := make(arrivals)
	d := newDoor(come, func(netip.Addr) {})
	accepted := make(chan net.Conn, 1000)
	go func() {
		for {
			conn, err := d.Accept()
			if err != nil {
				close(accepted)
				return
			}
			accepted <- conn
		}
	}()
	arrive := func(from string, n int) {
		for range n {
			here, there := net.Pipe()
			t.Cleanup(func() { there.Close() })
			come <- arrival{here, from}
		}
	}
	arrive("203.0.113.7:1000", 3*maxEach)
	arrive("[::ffff:203.0.113.7]:1000", 1)
	arrive("203.0.113.8:1000", 1)
	arrive("127.0.0.1:1000", 2*maxEach)
	for i := range 2 * maxEach { // one customer has all of these
		arrive(fmt.Sprintf("[2001:db8:1:2::%x]:1000", i), 1)
	}
	arrive("[2001:db8:1:3::1]:1000", 1)
	open := map[string][]net.Conn{}
	for range maxEach + 1 + 2*maxEach + maxEach + 1 {
		conn := <-accepted
		from := value.Source(addrOf(conn.RemoteAddr().String())).Addr().String()
		open[from] = append(open[from], conn)
	}
	for from, want := range map[string]int{"203.0.113.7": maxEach, "203.0.113.8": 1, "127.0.0.1": 2 * maxEach, "2001:db8:1:2::": maxEach, "2001:db8:1:3::": 1} {
		if len(open[from]) != want {
			t.Errorf("%s has %d connections, want %d", from, len(open[from]), want)
		}
	}
	for range 2 { // closing twice makes room once
		open["203.0.113.7"][0].Close()
	}
	arrive("203.0.113.7:1000", 5)
	close(come)
	again := 0
	for range accepted {
		again++
	}
	if again != 1 {
		t.Errorf("%d connections more, want 1", again)
	}
}

// A program of this machine that holds every connection open, and asks for nothing or begins to, keeps nobody out for
// longer than a few seconds; who is being answered is left alone.
func TestIdleConnectionsGiveWay(t *testing.T) {
	t.Parallel()
	d := newDoor(nil, func(netip.Addr) {})
	now := time.Now()
	ends := map[string]net.Conn{}
	enter := func(name string, at time.Time) *visit {
		here, there := net.Pipe()
		ends[name] = there
		v := &visit{Conn: here, door: d, from: netip.MustParseAddr("127.0.0.1")}
		if !v.enter(at) {
			t.Fatalf("%s found no room", name)
		}
		return v
	}
	closed := func(name string) bool {
		ends[name].SetReadDeadline(time.Now().Add(time.Millisecond))
		_, err := ends[name].Read(make([]byte, 1))
		return errors.Is(err, io.EOF)
	}
	enter("idle", now)
	understood((&http.Request{}).WithContext(withVisit(t.Context(), enter("asks", now))))
	answered := enter("answered", now)
	understood((&http.Request{}).WithContext(withVisit(t.Context(), answered)))
	watch(answered, http.StateIdle)
	for i := range maxOpen - 4 {
		enter(fmt.Sprint(i), now.Add(maxIdle))
	}
	d.relieve(now.Add(2 * maxIdle))
	if closed("idle") {
		t.Error("one was closed though there was room")
	}
	enter("last", now.Add(2*maxIdle))
	answered.idle.Store(now.UnixNano())
	d.relieve(now.Add(maxIdle + maxIdle/2))
	for name, want := range map[string]bool{"idle": true, "answered": true, "asks": false, "0": false, "last": false} {
		if closed(name) != want {
			t.Errorf("%s: closed %v, want %v", name, !want, want)
		}
	}
}
