// Package routerostest has a router that exists in tests alone: as much of RouterOS' API over TLS as
// MikroTik's documentation tells, with address lists that forget when the router is started anew.
//
// It reads and writes words by code of its own, so that a mistake of the client's is not its, too.
package routerostest

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// Router is the fake. Its fields may be changed before a client connects.
type Router struct {
	User, Password string
	NoIPv6         bool          // as where the package is not there
	Empty          bool          // answers !empty where nothing is found, as since RouterOS 7.18
	Clock          bool          // writes spans as 1d02:03:04
	RefuseSet      bool          // takes no other timeout for an entry that is there
	PerEntry       time.Duration // what printing an entry takes
	Hang           bool          // reads and never answers

	listener net.Listener
	cert     tls.Certificate

	mu        sync.Mutex
	now       func() time.Time
	conns     map[net.Conn]bool
	lists     map[string][]*Entry // by path
	ids       int
	commands  []string // as they came, without passwords
	sentences int      // how many more sentences it takes before it says !fatal; 0 is without end
}

// Start starts a router on loopback, whose time is now's.
func Start(now func() time.Time) (*Router, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	r := &Router{
		User: "pialert", Password: "correct horse", Empty: true, now: now, conns: map[net.Conn]bool{}, lists: map[string][]*Entry{},
		cert: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
	}
	if r.listener, err = tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{r.cert}}); err != nil {
		return nil, err
	}
	go func() {
		for {
			c, err := r.listener.Accept()
			if err != nil {
				return
			}
			r.mu.Lock()
			r.conns[c] = true
			r.mu.Unlock()
			go r.serve(c)
		}
	}()
	return r, nil
}

// Close ends it.
func (r *Router) Close() {
	r.listener.Close()
	r.cut()
}

// Address is where it listens.
func (r *Router) Address() string { return r.listener.Addr().String() }

// Certificate is the SHA-256 of its certificate.
func (r *Router) Certificate() [sha256.Size]byte { return sha256.Sum256(r.cert.Certificate[0]) }

// Reboot ends every connection, and forgets what has a timeout.
func (r *Router) Reboot() {
	r.cut()
	r.mu.Lock()
	defer r.mu.Unlock()
	for path := range r.lists {
		r.lists[path] = slices.DeleteFunc(r.lists[path], func(e *Entry) bool { return !e.Ends.IsZero() })
	}
}

func (r *Router) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		c.Close()
		delete(r.conns, c)
	}
}

// Put adds an entry as its owner would by hand.
func (r *Router) Put(e Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.put(pathOf(e.Address), e)
}

func (r *Router) put(path string, e Entry) *Entry {
	r.ids++
	e.ID = fmt.Sprintf("*%X", r.ids)
	r.lists[path] = append(r.lists[path], &e)
	return &e
}

// Take removes the entries of an address, whoever made them.
func (r *Router) Take(address string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	path := pathOf(address)
	r.lists[path] = slices.DeleteFunc(r.lists[path], func(e *Entry) bool { return e.Address == address })
}

// Entries returns what is in the lists now, by address.
func (r *Router) Entries() (all []Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, path := range []string{path4, path6} {
		r.expire(path)
		for _, e := range r.lists[path] {
			all = append(all, *e)
		}
	}
	slices.SortFunc(all, func(a, b Entry) int { return strings.Compare(a.Address, b.Address) })
	return all
}

// Commands returns the first word of each command since the last call.
func (r *Router) Commands() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	commands := r.commands
	r.commands = nil
	return commands
}

// EndAfter has it end the connection with !fatal, once, in place of an answer to the nth sentence from now.
func (r *Router) EndAfter(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sentences = n
}

// isLast says whether this sentence is the one that ends the connection.
func (r *Router) isLast() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sentences = max(r.sentences-1, -1)
	return r.sentences == 0
}

func (r *Router) expire(path string) {
	now := r.now()
	r.lists[path] = slices.DeleteFunc(r.lists[path], func(e *Entry) bool { return !e.Ends.IsZero() && !e.Ends.After(now) })
}

// serve answers one client.
func (r *Router) serve(c net.Conn) {
	defer c.Close()
	in, out := bufio.NewReader(c), bufio.NewWriter(c)
	for known := false; ; {
		words, err := sentence(in)
		if err != nil {
			return
		}
		if r.Hang {
			continue
		}
		tag := ""
		args := map[string]string{}
		queries := map[string]string{}
		for _, word := range words[1:] {
			key, value, _ := strings.Cut(strings.TrimLeft(word, "=?"), "=")
			switch word[0] {
			case '=':
				args[key] = value
			case '?':
				queries[key] = value
			default:
				tag = word
			}
		}
		answer := func(words ...string) {
			for _, word := range append(words, tag) {
				if word != "" {
					writeWord(out, word)
				}
			}
			out.WriteByte(0)
		}
		switch {
		case r.isLast():
			answer("!fatal", "session terminated on request")
			out.Flush()
			return
		case words[0] == "/login" && args["name"] == r.User && args["password"] == r.Password:
			known = true
			answer("!done")
		case words[0] == "/login":
			answer("!trap", "=message=invalid user name or password (6)")
			answer("!done")
		case !known:
			answer("!fatal", "not logged in")
			out.Flush()
			return
		default:
			r.command(out, words[0], args, queries, answer)
		}
		if in.Buffered() == 0 {
			if err := out.Flush(); err != nil {
				return
			}
		}
	}
}
