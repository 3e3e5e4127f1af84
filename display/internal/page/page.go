// Package page serves the display's web page: what happens now, what happened, who it was.
//
// # What it promises
//
//   - It only reads: nothing on the page can change an agent, a rule, a pin or a total.
//   - It holds nobody up. What is drawn and counted is noted under a lock and told to open pages
//     in the page's own time; a browser that reads too slowly is dropped and comes back.
//   - It asks nobody for anything: all that a browser loads is embedded here.
//   - Without JavaScript each page is what it is with it, as plain tables. Charts are drawn from
//     those tables, so they cannot say anything else.
//   - What attackers wrote is escaped, and what does not print is made visible.
//
// # What it refuses
//
// Requests whose Host it does not know, which is how another site would read this one through a
// browser (DNS rebinding); forms sent by other sites; and, once a password is set, whoever did not
// give it. It serves no address but the loopback without a password, and nothing but TLS there
// unless the owner says so.
package page

import (
	"compress/gzip"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Options says what a page shows and to whom.
type Options struct {
	History History
	Name    string // of the display
	State   func(context.Context) (State, error)
	Place   func(netip.Addr) Place // nil: nothing is known of addresses
	Zone    func() *time.Location  // whose days and hours bars are of; it may change; nil means time.Local
	Access  Access
	Now     func() time.Time
	Logger  *slog.Logger
}

// Server is the page. Its Picture, Totals and Stored tell it what happens; they never wait.
type Server struct {
	*live
	options  Options
	guard    *guard
	handler  http.Handler
	sessions *sessions
	hashing  sync.Mutex
}

// New returns a page that does nothing before Run.
func New(options Options) *Server {
	if options.Zone == nil {
		options.Zone = func() *time.Location { return time.Local }
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{live: newLive(), options: options, sessions: newSessions(options.Now)}
	s.guard = newGuard(options.Access.Hosts)
	s.handler = s.routes()
	return s
}

// routes says what is served where. All but the assets and the login are for those who may read.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /assets/", assets())
	mux.Handle("GET /assets/lamps.css", s.readers(http.HandlerFunc(s.lampStyle)))
	mux.HandleFunc("GET /login", s.loginForm)
	mux.HandleFunc("POST /login", s.login)
	mux.HandleFunc("POST /logout", s.logout)
	read := func(path string, show func(http.ResponseWriter, *http.Request) error) {
		mux.Handle("GET "+path, s.readers(s.page(show)))
	}
	read("/", func(http.ResponseWriter, *http.Request) error { return errNotFound })
	read("/{$}", s.nowPage)
	read("/history", s.historyPage)
	read("/sources", s.sourcesPage)
	read("/source/{source...}", s.sourcePage)
	read("/user", s.userPage)
	read("/agents", s.agentsPage)
	read("/counters", s.countersPage)
	read("/search", s.searchPage)
	mux.Handle("GET /live", s.readers(http.HandlerFunc(s.stream)))
	return s.guard.wrap(http.NewCrossOriginProtection().Handler(mux))
}

// ServeHTTP serves one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// notFound is an error for what is not there.
var errNotFound = errors.New("there is nothing at this address")

// page makes a handler of what shows a page. Its errors are shown as pages, too.
func (s *Server) page(show func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Accept-Encoding")
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			w.Header().Set("Content-Encoding", "gzip")
			packer, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
			defer packer.Close()
			w = packing{w, packer}
		}
		err := show(w, r)
		var bad badRequest
		status := http.StatusInternalServerError
		switch {
		case err == nil || r.Context().Err() != nil:
			return
		case errors.Is(err, errNotFound):
			status = http.StatusNotFound
		case errors.As(err, &bad):
			status = http.StatusBadRequest
		default:
			s.options.Logger.Error("cannot show a page", "path", r.URL.Path, "error", err)
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		s.render(w, "problem", problemView{s.head(r, "Not shown", ""), err.Error()})
	})
}

// packing packs what is written: tables of mostly the same words take a tenth. Pages hold no secret whose
// length could tell it (BREACH).
type packing struct {
	http.ResponseWriter
	packer *gzip.Writer
}

func (p packing) Write(text []byte) (int, error) { return p.packer.Write(text) }

type problemView struct {
	head
	Problem string
}

// Run tells open pages what happens, until ctx ends.
func (s *Server) Run(ctx context.Context) error { return s.live.Run(ctx, s) }
