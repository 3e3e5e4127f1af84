package page

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// What browsers and strangers may take.
const (
	maxConnections = 256
	headerWithin   = 5 * time.Second
	readWithin     = 20 * time.Second
	answerWithin   = 2 * time.Minute // but for the stream, which sets its own; a Pi Zero takes its time
	maxHeader      = 16 << 10
)

// Serve answers requests until ctx ends, then closes the listener and the open connections. With a
// certificate it speaks TLS only.
func (s *Server) Serve(ctx context.Context, listener net.Listener, certificate *tls.Certificate) error {
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headerWithin,
		ReadTimeout:       readWithin,
		WriteTimeout:      answerWithin,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		// Strangers who do not speak TLS are no news.
		ErrorLog: slog.NewLogLogger(s.options.Logger.Handler(), slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	listener = netutil.LimitListener(listener, maxConnections)
	serve := func() error { return server.Serve(listener) }
	if certificate != nil {
		server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*certificate}}
		serve = func() error { return server.ServeTLS(listener, "", "") }
	}
	if err := serve(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot serve the page at %s: %w", listener.Addr(), err)
	}
	return nil
}
