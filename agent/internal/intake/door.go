package intake

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"

	"github.com/pialert/pialert/pkg/attack"
)

// noToken is all that who shows no token ever reads.
const noToken = "a token is needed"

// refusal is the answer to what is no request: net/http would answer it by itself, in other words for each
// mistake, and nobody would hear of it.
const refusal = "HTTP/1.1 401 Unauthorized\r\nCache-Control: no-store\r\nConnection: close\r\nContent-Type: application/json\r\n" +
	"WWW-Authenticate: Basic realm=\"pialert\"\r\n\r\n{\"error\":\"" + noToken + "\"}\n"

// door is a listener whose connections answer only requests that the server has seen.
type door struct {
	net.Listener
	server *Server
}

func (d door) Accept() (net.Conn, error) {
	conn, err := d.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &visit{Conn: conn, server: d.server}, nil
}

// visit is a connection.
type visit struct {
	net.Conn
	server *Server
	asked  atomic.Bool // a request was understood
	ended  bool
}

// visitKey is the context's key of a request's connection.
type visitKey struct{}

func withVisit(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, visitKey{}, conn)
}

// understood says that a request has come.
func understood(r *http.Request) {
	if v, ok := r.Context().Value(visitKey{}).(*visit); ok {
		v.asked.Store(true)
	}
}

// Write refuses instead, where no request was understood.
func (v *visit) Write(p []byte) (int, error) {
	if v.asked.Load() {
		return v.Conn.Write(p)
	}
	if v.ended {
		return len(p), nil
	}
	v.ended = true
	from, _ := netip.ParseAddrPort(v.RemoteAddr().String())
	v.server.note(from.Addr().Unmap().WithZone(""), "", "no request")
	if _, err := v.Conn.Write([]byte(refusal)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// note tells of an attempt to get in.
func (s *Server) note(from netip.Addr, user, reason string) {
	s.Sink.Note(&attack.Event{
		Kind: attack.WebLogin, Severity: attack.WebLogin.Severity(), Rule: "intake-login", Observed: s.Now(), SourceIP: from,
		User: attack.Clip(user, attack.MaxUser), Count: 1, Detail: attack.Service{Name: "pialert", Reason: reason},
	})
}
