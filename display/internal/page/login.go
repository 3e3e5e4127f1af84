package page

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"

	"github.com/pialert/pialert/pkg/plural"
)

// Access says who may see the page.
type Access struct {
	// Hosts are the names, beside the loopback's and the addresses themselves, that browsers may
	// know the page by.
	Hosts []string
	// Password returns the hash of the password, as [HashPassword] made it; empty if there is none.
	// It is asked at each request, so that a new password ends the sessions of the old one.
	Password func() (string, error)
}

// password returns the hash of the password.
func (s *Server) password() (string, error) {
	if s.options.Access.Password == nil {
		return "", nil
	}
	return s.options.Access.Password()
}

// allowed says whether a request comes from somebody who may see the page.
func (s *Server) allowed(r *http.Request) bool {
	hash, err := s.password()
	return err == nil && (hash == "" || s.sessions.valid(r, hash))
}

// readers lets those through who may see the page, and has the others log in.
func (s *Server) readers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.allowed(r) {
			next.ServeHTTP(w, r)
			return
		}
		if r.URL.Path == "/live" || r.URL.Path == "/assets/lamps.css" {
			http.Error(w, "log in first", http.StatusUnauthorized)
			return
		}
		there := "/login"
		if here := r.URL.RequestURI(); here != "/" {
			there += "?" + url.Values{"next": {here}}.Encode()
		}
		http.Redirect(w, r, there, http.StatusSeeOther)
	})
}

type loginView struct {
	head
	Next    string
	Problem string
}

func (s *Server) loginForm(w http.ResponseWriter, r *http.Request) {
	next := within(r.URL.Query().Get("next"))
	if s.allowed(r) {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	s.showLogin(w, http.StatusOK, next, "")
}

// showLogin shows the form. It says nothing of the display, not even its name.
func (s *Server) showLogin(w http.ResponseWriter, status int, next, problem string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	s.render(w, "login", loginView{head{Title: "Log in", Now: s.options.Now(), zone: s.options.Zone()}, next, problem})
}

// login opens a session. Where the form came from was looked at before.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 8<<10)
	next := within(r.PostFormValue("next"))
	hash, err := s.password()
	if err != nil {
		s.options.Logger.Error("cannot read the page's password", "error", err)
		s.showLogin(w, http.StatusInternalServerError, next, "The password cannot be read; the display's log says why.")
		return
	}
	if hash == "" {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	if wait, ok := s.sessions.admit(r.RemoteAddr); !ok {
		seconds := int(math.Ceil(wait.Seconds()))
		w.Header().Set("Retry-After", fmt.Sprint(seconds))
		s.showLogin(w, http.StatusTooManyRequests, next, fmt.Sprintf("Too many tries. Wait %s.", plural.Count(seconds, "second")))
		return
	}
	s.hashing.Lock() // one at a time: each takes its memory
	right, err := checkPassword(hash, r.PostFormValue("password"))
	s.hashing.Unlock()
	if err != nil {
		s.options.Logger.Error("cannot check the page's password", "error", err)
	}
	if !right {
		s.options.Logger.Warn("a login on the page with a wrong password", "from", r.RemoteAddr)
		s.showLogin(w, http.StatusUnauthorized, next, "This is not the password.")
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookieName(r), Value: s.sessions.begin(hash), Path: "/", MaxAge: int(sessionLong.Seconds()),
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
	})
	http.Redirect(w, r, next, http.StatusSeeOther)
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	s.sessions.end(r)
	http.SetCookie(w, &http.Cookie{
		Name: cookieName(r), Path: "/", MaxAge: -1, HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
	})
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// within returns a path of this page, whatever it was asked for: a login leads nowhere else.
func within(next string) string {
	at, err := url.Parse(next)
	if err != nil || at.IsAbs() || at.Host != "" || !strings.HasPrefix(next, "/") ||
		strings.HasPrefix(next, "//") || strings.Contains(next, `\`) {
		return "/"
	}
	return next
}
