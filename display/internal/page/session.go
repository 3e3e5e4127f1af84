package page

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Bounds of sessions and logins.
const (
	sessionLong  = 7 * day // until a person has to log in again
	maxSessions  = 64      // at a time; another one ends the oldest
	loginBurst   = 5       // wrong passwords that an address may give at once ...
	loginRefill  = 0.05    // ... and how many more per second: three a minute
	maxAddresses = 1024    // addresses remembered at a time; others share what one may
)

// The names of the cookie. That for TLS can only be set by this host, for all of it (RFC 6265bis,
// section 4.1.3.2).
const (
	cookiePlain  = "pialert"
	cookieSecure = "__Host-pialert"
)

// sessions are the logins in force. A stolen copy of them opens nothing: what a browser shows is
// kept as its hash only.
type sessions struct {
	now func() time.Time

	mu        sync.Mutex
	open      map[[sha256.Size]byte]session
	addresses map[netip.Prefix]*allowance
	others    allowance
}

// session is one login. It ends when the password is another one.
type session struct {
	ends time.Time
	hash string // of the password that opened it
}

// allowance is how many logins may be tried.
type allowance struct {
	tokens float64
	at     time.Time
}

func newSessions(now func() time.Time) *sessions {
	return &sessions{now: now, open: map[[sha256.Size]byte]session{}, addresses: map[netip.Prefix]*allowance{}}
}

// begin opens a session for a password's hash and returns what the browser is to show.
func (s *sessions) begin(hash string) string {
	token := rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.open) >= maxSessions {
		var oldest [sha256.Size]byte
		var ends time.Time
		for key, one := range s.open {
			if ends.IsZero() || one.ends.Before(ends) {
				oldest, ends = key, one.ends
			}
		}
		delete(s.open, oldest)
	}
	s.open[sha256.Sum256([]byte(token))] = session{s.now().Add(sessionLong), hash}
	return token
}

// valid says whether a request shows a session of the password's hash.
func (s *sessions) valid(r *http.Request, hash string) bool {
	token, ok := tokenOf(r)
	if !ok {
		return false
	}
	key := sha256.Sum256([]byte(token))
	s.mu.Lock()
	defer s.mu.Unlock()
	one, ok := s.open[key]
	if ok && (one.hash != hash || !s.now().Before(one.ends)) {
		delete(s.open, key)
		return false
	}
	return ok
}

// has says whether a request shows a session at all.
func (s *sessions) has(r *http.Request) bool {
	token, ok := tokenOf(r)
	if !ok {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok = s.open[sha256.Sum256([]byte(token))]
	return ok
}

// end ends the session that a request shows.
func (s *sessions) end(r *http.Request) {
	if token, ok := tokenOf(r); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.open, sha256.Sum256([]byte(token)))
	}
}

func tokenOf(r *http.Request) (string, bool) {
	cookie, err := r.Cookie(cookieName(r))
	if err != nil || cookie.Value == "" {
		return "", false
	}
	return cookie.Value, true
}

func cookieName(r *http.Request) string {
	if r.TLS != nil {
		return cookieSecure
	}
	return cookiePlain
}

// admit counts a login that is tried, and says how long to wait if there were too many.
func (s *sessions) admit(remote string) (wait time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	from := s.allowanceOf(remote, now)
	if from.at.IsZero() {
		from.tokens = loginBurst
	} else {
		from.tokens = min(loginBurst, from.tokens+now.Sub(from.at).Seconds()*loginRefill)
	}
	from.at = now
	if from.tokens < 1 {
		return time.Duration((1 - from.tokens) / loginRefill * float64(time.Second)), false
	}
	from.tokens--
	return 0, true
}

// allowanceOf returns that of an address, or of an IPv6 /64, which one customer has. The caller
// holds the lock.
func (s *sessions) allowanceOf(remote string, now time.Time) *allowance {
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return &s.others
	}
	address := peer.Addr().Unmap().WithZone("")
	bits := address.BitLen()
	if address.Is6() {
		bits = 64
	}
	key, _ := address.Prefix(bits)
	if known := s.addresses[key]; known != nil {
		return known
	}
	if len(s.addresses) >= maxAddresses {
		for key, one := range s.addresses {
			if now.Sub(one.at).Seconds()*loginRefill >= loginBurst { // it has all its tokens again
				delete(s.addresses, key)
			}
		}
		if len(s.addresses) >= maxAddresses {
			return &s.others
		}
	}
	s.addresses[key] = &allowance{}
	return s.addresses[key]
}
