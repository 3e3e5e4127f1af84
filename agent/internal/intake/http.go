package intake

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/time/rate"

	"github.com/pialert/pialert/pkg/attack"
)

// Limits of one server.
const (
	maxRate       = 100 // requests a second of one token ...
	maxBurst      = 500 // ... and at once
	maxPosted     = 2000
	maxHeader     = 16 << 10
	requestTime   = 15 * time.Second
	maxIdempotent = 255 // bytes of a key
)

// Token lets somebody report.
type Token struct {
	Name  string // for basic authentication, and for people
	Value string
	Host  string        // the machine that its events are of
	Kinds []attack.Kind // that it may report
}

// Path is an old URL, of which each call is an event.
type Path struct {
	Kind attack.Kind
	Host string // the token's if empty
}

// Sink takes events.
type Sink interface {
	// Commit lets do add events and look at what is remembered, and returns once both are kept.
	Commit(ctx context.Context, do func(m *Memory, add func(*attack.Event))) error
	// Note takes an event that nobody waits for.
	Note(e *attack.Event)
}

// Server takes reports over HTTP.
type Server struct {
	Tokens   []Token
	Paths    map[string]Path // by their names, such as "red"
	Counters []string
	From     []netip.Prefix // of those who may ask at all; none lets everybody
	Sink     Sink
	Now      func() time.Time

	once   sync.Once
	limits map[string]*limit // by token
}

type limit struct{ requests, events *rate.Limiter }

// Serve answers until ctx ends, then closes the listener.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler: s, ReadTimeout: requestTime, WriteTimeout: 2 * requestTime, IdleTimeout: requestTime, MaxHeaderBytes: maxHeader,
		BaseContext: func(net.Listener) context.Context { return ctx }, ConnContext: withVisit,
		ConnState:                    watch,
		DisableGeneralOptionsHandler: true,                       // it would answer anybody
		ErrorLog:                     log.New(io.Discard, "", 0), // strangers would write it
	}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	door := newDoor(netutil.LimitListener(listener, maxOpen), func(from netip.Addr) { s.note(from, "", "no request") })
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	go door.run(ctx)
	err := server.Serve(door)
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot serve reports on %s: %w", listener.Addr(), err)
	}
	return nil
}

// ServeHTTP answers one request. Who has no right gets the same answer whatever is asked.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.once.Do(s.prepare)
	understood(r)
	w.Header().Set("Cache-Control", "no-store")
	from := addrOf(r.RemoteAddr)
	if len(s.From) > 0 && !slices.ContainsFunc(s.From, func(n netip.Prefix) bool { return n.Contains(from) }) {
		s.refuse(w, r, from)
		return
	}
	token := s.token(r)
	if token == nil {
		s.refuse(w, r, from)
		return
	}
	if !s.limits[token.Name].requests.Allow() {
		tooMany(w)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
	name := strings.Trim(r.URL.Path, "/")
	key, isCount := strings.CutPrefix(name, "count/")
	path, isPath := s.Paths[name]
	switch {
	case name == "v1/events":
		s.only(w, r, func() { s.post(w, r, token) }, http.MethodPost)
	case name == "ban.php":
		s.only(w, r, func() { s.ban(w, r, token) }, http.MethodGet, http.MethodPost)
	case isCount:
		s.only(w, r, func() { s.count(w, r, token, key) }, http.MethodGet, http.MethodPost)
	case isPath:
		s.only(w, r, func() { s.call(w, r, token, path) }, http.MethodGet, http.MethodPost)
	default:
		answer(w, http.StatusNotFound, "there is nothing here")
	}
}

func (s *Server) prepare() {
	s.limits = map[string]*limit{}
	for _, token := range s.Tokens {
		s.limits[token.Name] = &limit{rate.NewLimiter(maxRate, maxBurst), rate.NewLimiter(maxPosted, 2*MaxEvents)}
	}
}

// only lets methods do.
func (s *Server) only(w http.ResponseWriter, r *http.Request, do func(), methods ...string) {
	if !slices.Contains(methods, r.Method) {
		w.Header().Set("Allow", strings.Join(methods, ", "))
		answer(w, http.StatusMethodNotAllowed, "this method is not for this address")
		return
	}
	do()
}

// token returns the one that a request shows: as a bearer, as the password of basic authentication, or in
// the address, as the old URLs did.
func (s *Server) token(r *http.Request) *Token {
	shown, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	user := ""
	if !ok {
		if user, shown, ok = r.BasicAuth(); !ok {
			shown = r.URL.Query().Get("token")
		}
	}
	sum := sha256.Sum256([]byte(shown))
	var found *Token
	for i := range s.Tokens { // all of them, in the same time
		own := sha256.Sum256([]byte(s.Tokens[i].Value))
		if subtle.ConstantTimeCompare(sum[:], own[:]) == 1 && shown != "" && (user == "" || user == s.Tokens[i].Name) {
			found = &s.Tokens[i]
		}
	}
	return found
}

// refuse answers whoever has no right to ask, and tells of it: it is an attempt to get in.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, from netip.Addr) {
	user, _, _ := r.BasicAuth()
	s.note(from, user, "wrong token")
	w.Header().Set("WWW-Authenticate", `Basic realm="pialert"`)
	w.Header().Set("Connection", "close")
	answer(w, http.StatusUnauthorized, noToken)
}

// errForbidden is what a token gets for what it may not report.
var errForbidden = errors.New("this token may not report that")

// may says whether a token may report an event, and makes the event its machine's.
func (t *Token) may(e *attack.Event) error {
	if e.Host == "" {
		e.Host = t.Host
	}
	if e.Host != t.Host || !slices.Contains(t.Kinds, e.Kind) {
		return errForbidden
	}
	return nil
}

func tooMany(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	answer(w, http.StatusTooManyRequests, "too many requests")
}

// answer says what is wrong in words of its own: nothing that was sent.
func answer(w http.ResponseWriter, status int, problem string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"error": problem})
}

// note tells of an attempt to get in.
func (s *Server) note(from netip.Addr, user, reason string) {
	s.Sink.Note(&attack.Event{
		Kind: attack.WebLogin, Severity: attack.WebLogin.Severity(), Rule: "intake-login", Observed: s.Now(), SourceIP: from,
		User: attack.Clip(user, attack.MaxUser), Count: 1, Detail: attack.Service{Name: "pialert", Reason: reason},
	})
}
