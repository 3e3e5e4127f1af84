package notices

import (
	"encoding/json"
	"flag"
	"fmt"
	"html"
	"io"
	"log"
	"math/rand/v2"
	"mime"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/pialert/pialert/packaging/demo/program"
)

var kills = flag.Int("kills", 20, "how often TestKills kills the display")

// receiver is a webhook that counts what it takes.
type receiver struct {
	mu    sync.Mutex
	taken map[string]int // messages by idempotency key
	sum   uint64         // attempts that the messages tell of, each once
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	var body struct{ Subject string }
	if err := json.NewDecoder(request.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var n uint64
	if _, err := fmt.Sscanf(body.Subject, "%d failed SSH login", &n); err != nil {
		http.Error(w, body.Subject, http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	key := request.Header.Get("Idempotency-Key")
	if r.taken[key]++; r.taken[key] == 1 {
		r.sum += n
	}
}

// untilTold waits until messages have told of so many attempts.
func (r *receiver) untilTold(h *home, truth uint64) {
	h.t.Helper()
	h.must(program.Poll(h.ctx, func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.sum < truth {
			return fmt.Errorf("told of %d attempts so far, want %d", r.sum, truth)
		}
		return nil
	}))
}

// A hundred thousand attempts make a few messages, and the messages tell of a hundred thousand.
func TestAFlood(t *testing.T) {
	t.Parallel()
	r := &receiver{taken: map[string]int{}}
	server := httptest.NewServer(r)
	defer server.Close()
	h := settle(t, fmt.Sprintf("  channels:\n    - {name: mail, webhook: {url: %q}}\n%s", server.URL, rule), nil)
	const truth = 100_000
	begun := time.Now()
	h.attack("root", truth)
	r.untilTold(h, truth)
	r.mu.Lock()
	defer r.mu.Unlock()
	most := 10 * (1 + int(time.Since(begun)/(10*time.Second)))
	if r.sum != truth || len(r.taken) > most {
		t.Errorf("%d messages tell of %d attempts, want at most %d of %d", len(r.taken), r.sum, most, truth)
	}
}

// services are stand-ins for the four services that messages go to. They take everything.
type services struct {
	asked chan struct{} // has room for one

	mu    sync.Mutex
	taken map[string][]string // subjects, by channel
}

func (s *services) take(channel, subject string) {
	s.mu.Lock()
	s.taken[channel] = append(s.taken[channel], subject)
	s.mu.Unlock()
	select {
	case s.asked <- struct{}{}:
	default:
	}
}

// ServeHTTP is a webhook, an ntfy server and Telegram, by the path.
func (s *services) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	var body struct{ Subject, Title, Text string }
	if err := json.NewDecoder(request.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	switch request.URL.Path {
	case "/hook":
		s.take("hook", body.Subject)
	case "/ntfy":
		s.take("push", body.Title)
	default:
		line, _, _ := strings.Cut(body.Text, "\n")
		s.take("phone", html.UnescapeString(strings.TrimSuffix(strings.TrimPrefix(line, "<b>"), "</b>")))
		fmt.Fprint(w, `{"ok":true}`)
	}
}

// NewSession is a mail server.
func (s *services) NewSession(*smtp.Conn) (smtp.Session, error) { return letter{s}, nil }

// letter is a mail that is taken.
type letter struct{ *services }

func (letter) Mail(string, *smtp.MailOptions) error { return nil }
func (letter) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (letter) Reset()                               {}
func (letter) Logout() error                        { return nil }

func (l letter) Data(r io.Reader) error {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err == nil {
		l.take("mail", subject)
	}
	return err
}

// Killed at any moment, and often just as a service is asked, the display tells of every attempt once by each
// channel. Only a message that was under way may come twice, and the outbox says how many those may be.
func TestKills(t *testing.T) {
	t.Parallel()
	s := &services{asked: make(chan struct{}, 1), taken: map[string][]string{}}
	server := httptest.NewServer(s)
	defer server.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	post := smtp.NewServer(s)
	post.Domain, post.ErrorLog = "mx.example.org", log.New(io.Discard, "", 0)
	go post.Serve(listener)
	defer post.Close()
	h := settle(t, fmt.Sprintf(`  channels:
    - {name: hook, webhook: {url: "%[1]s/hook"}}
    - {name: push, ntfy: {url: "%[1]s/ntfy/attacks"}}
    - {name: phone, telegram: {chat: "1", token_file: token, url: "%[1]s"}}
    - {name: mail, smtp: {server: %[2]q, tls: none, from: pi@example.org, to: [me@example.org]}}
  daily: 10000
  rules:
    - {to: [hook, push, phone, mail], when: {families: [ssh]}}
  at_most: "10 per 10s"
`, server.URL, listener.Addr()), map[string][]byte{"token": []byte("42:SECRET\n")})
	random := rand.New(rand.NewPCG(1, uint64(*kills)))
	var truth uint64
	for range *kills {
		n := 1 + random.IntN(20)
		h.attack("root", n)
		truth += uint64(n)
		alive, asked := time.NewTimer(10*time.Second), s.asked
		if random.IntN(2) == 0 {
			alive.Reset(time.Duration(random.IntN(5000)) * time.Millisecond)
			asked = nil
		}
		select {
		case <-alive.C:
		case <-asked:
		}
		h.display.Kill()
		h.start()
		select {
		case <-s.asked: // of the one that was killed
		default:
		}
	}
	h.must(h.Up(h.ctx))
	h.must(program.Poll(h.ctx, func() error {
		all, err := h.outbox()
		if err != nil {
			return err
		}
		for channel, told := range told(t, all) {
			if told != truth {
				return fmt.Errorf("%s is told of %d attempts so far, want %d", channel, told, truth)
			}
		}
		return nil
	}))
	all := h.await()
	if told := told(t, all); len(told) != 4 {
		t.Errorf("messages for %d channels, want 4", len(told))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	unknown, missing := map[string]int{}, map[string]int{}
	for _, one := range all {
		unknown[one.Channel] += one.Unknown
		i := slices.Index(s.taken[one.Channel], one.Subject)
		if i < 0 {
			missing[one.Channel]++
			continue
		}
		s.taken[one.Channel] = slices.Delete(s.taken[one.Channel], i, i+1)
	}
	twice := 0
	for channel, unknown := range unknown {
		// What was under way twice, each time over a kill, is not sent a third time: it may be the one that is missing.
		if again := len(s.taken[channel]); again > unknown || missing[channel] > unknown/2 {
			t.Errorf("%s: %d came twice and %d did not come, of %d whose outcome was unknown", channel, again, missing[channel], unknown)
		}
		twice += len(s.taken[channel])
		t.Logf("%s: %d came twice and %d did not come, of %d whose outcome was unknown", channel, len(s.taken[channel]), missing[channel], unknown)
	}
	t.Logf("%d kills, %d attempts reported in %d messages of four channels; %d came twice", *kills, truth, len(all), twice)
}

// told is how many attempts messages tell of, by channel.
func told(t *testing.T, all []entry) map[string]uint64 {
	t.Helper()
	sums := map[string]uint64{}
	for _, one := range all {
		var n uint64
		if _, err := fmt.Sscanf(one.Subject, "%d failed SSH login", &n); err != nil {
			t.Fatalf("%q tells of no logins", one.Subject)
		}
		sums[one.Channel] += n
	}
	return sums
}
