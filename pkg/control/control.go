// Package control lets a command talk to the running program on the same machine: HTTP with
// JSON over a Unix socket.
//
// Who may open the socket may do everything that it offers, so it is made with mode 0660 in a
// folder that belongs to the program, or answers only the users that [Listen] names; there is no other
// access control and no TCP. A socket that a
// killed program left behind is replaced; one that is served, or anything that is no socket, is not.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/net/netutil"

	"github.com/pialert/pialert/pkg/socket"
)

// maxConnections bounds the connections that are open at a time; more wait.
const maxConnections = 64

// maxBody bounds what either end reads of a request or an answer, in bytes.
const maxBody = 8 << 20

// ErrNotRunning is wrapped by a [Client]'s errors when nobody serves the socket.
var ErrNotRunning = errors.New("the program is not running")

// ErrNoAnswer is wrapped by a [Client]'s errors when who served the socket went away before it answered:
// nobody knows whether it did what it was asked.
var ErrNoAnswer = errors.New("the program ended before it answered")

// Listen opens the socket at path. The error says so if another process serves it. With users given,
// they and nobody else are answered, whatever the modes of the socket and its folder.
func Listen(path string, users ...uint32) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("cannot make the control socket's folder: %w", err)
	}
	mode := os.FileMode(0o660)
	if len(users) > 0 {
		mode = 0o666
	}
	listener, err := socket.Listen(context.Background(), path, mode)
	if err != nil {
		return nil, fmt.Errorf("cannot serve the control socket %s: %w", path, err)
	}
	if len(users) > 0 {
		listener = socket.Only(listener, users...)
	}
	return netutil.LimitListener(listener, maxConnections), nil
}

// Serve answers requests until ctx ends, then closes the listener and the open connections.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       5 * time.Second,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot serve %s: %w", listener.Addr(), err)
	}
	return nil
}

// problem is the body of every answer that is no success.
type problem struct {
	Error string `json:"error"`
}

// Handle makes an HTTP handler of a function from a request's JSON body to an answer. A request
// without a body gives the zero In. An error becomes status 400 with its text.
func Handle[In, Out any](do func(ctx context.Context, in In) (Out, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		in, ok := read[In](w, r)
		if !ok {
			return
		}
		out, err := do(r.Context(), in)
		if err != nil {
			answer(w, http.StatusBadRequest, problem{err.Error()})
			return
		}
		answer(w, http.StatusOK, out)
	}
}

// read reads a request's body; if it cannot, it answers so.
func read[In any](w http.ResponseWriter, r *http.Request) (in In, ok bool) {
	body := http.MaxBytesReader(w, r.Body, maxBody)
	decoder := json.NewDecoder(body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&in); err != nil && !errors.Is(err, io.EOF) {
		answer(w, http.StatusBadRequest, problem{fmt.Sprintf("cannot read the request: %v", err)})
		return in, false
	}
	// Only past the end of the body does net/http notice that the caller has gone, and ends the
	// context.
	io.Copy(io.Discard, body)
	return in, true
}

// Stream makes an HTTP handler of a function that writes an answer of any length, bit by bit, until
// the caller has gone. What was written is sent at each Flush. An error before the first byte becomes
// status 400 with its text; a later one breaks the answer off.
func Stream[In any](do func(ctx context.Context, in In, out Flusher) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		in, ok := read[In](w, r)
		if !ok {
			return
		}
		out := &flusher{ResponseController: http.NewResponseController(w), Writer: w}
		err := do(r.Context(), in, out)
		switch {
		case err == nil || r.Context().Err() != nil:
		case out.begun:
			panic(http.ErrAbortHandler)
		default:
			answer(w, http.StatusBadRequest, problem{err.Error()})
		}
	}
}

// Flusher is what an answer is written to.
type Flusher interface {
	io.Writer
	Flush() error
}

type flusher struct {
	*http.ResponseController
	io.Writer
	begun bool
}

func (f *flusher) Write(p []byte) (int, error) {
	f.begun = true
	return f.Writer.Write(p)
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

// Client speaks to the program that serves the socket at Path.
type Client struct{ Path string }

// Call sends in as JSON to an HTTP path and reads the answer into out; either may be nil. Its
// error is the program's own words, or wraps [ErrNotRunning] or [ErrNoAnswer].
func (c Client) Call(ctx context.Context, path string, in, out any) error {
	answer, err := c.Open(ctx, path, in)
	if err != nil {
		return err
	}
	defer answer.Close()
	body, err := io.ReadAll(io.LimitReader(answer, maxBody))
	if gone(err) {
		return fmt.Errorf("%w: %s: %w", ErrNoAnswer, c.Path, err)
	} else if err != nil {
		return fmt.Errorf("cannot read the answer of %s: %w", c.Path, err)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("cannot understand the answer of %s: %w", c.Path, err)
	}
	return nil
}

// gone says whether an error is that of a connection whose other end has ended. The transport closes its own
// end when it sees that while it still writes.
func gone(err error) bool {
	return errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// Open sends in as JSON, as [Client.Call] does, and returns the answer, which may be of any length.
// Who opens it closes it.
func (c Client) Open(ctx context.Context, path string, in any) (io.ReadCloser, error) {
	reader, writer := io.Pipe()
	go func() {
		if in == nil {
			writer.Close()
			return
		}
		writer.CloseWithError(json.NewEncoder(writer).Encode(in))
	}()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://control"+path, reader)
	if err != nil {
		return nil, fmt.Errorf("cannot ask %s: %w", c.Path, err)
	}
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", c.Path)
		},
	}
	response, err := transport.RoundTrip(request)
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("%w: nobody serves %s", ErrNotRunning, c.Path)
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("cannot open %s: permission denied; try again with sudo", c.Path)
	case gone(err):
		return nil, fmt.Errorf("%w: %s: %w", ErrNoAnswer, c.Path, err)
	case err != nil:
		return nil, fmt.Errorf("cannot ask %s: %w", c.Path, err)
	}
	if response.StatusCode == http.StatusOK {
		return response.Body, nil
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return nil, fmt.Errorf("cannot read the answer of %s: %w", c.Path, err)
	}
	var p problem
	if json.Unmarshal(body, &p) == nil && p.Error != "" {
		return nil, errors.New(p.Error)
	}
	return nil, fmt.Errorf("%s answered %s", c.Path, response.Status)
}
