package routeros

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	// dialFor bounds connecting and logging in.
	dialFor = 10 * time.Second
	// stepFor bounds the wait for one sentence: a long list comes in many.
	stepFor = 20 * time.Second
	// window is how many commands may be under way at once; their tags tell the replies apart.
	window = 32
	// maxReplies bounds the sentences that answer one command.
	maxReplies = 1 << 18
)

// trap is a command that a router refused.
type trap struct{ message string }

func (t *trap) Error() string { return "the router says: " + strings.ToValidUTF8(t.message, "?") }

// isTrap says whether an error is a router's refusal for a reason.
func isTrap(err error, reason string) bool {
	var t *trap
	return errors.As(err, &t) && strings.Contains(t.message, reason)
}

// conn is a connection over which somebody has logged in.
type conn struct {
	net.Conn
	r *bufio.Reader
	w *bufio.Writer
}

// errCertificate says that another router, or nobody's, is there.
var errCertificate = errors.New("the router's certificate is another one")

// dial connects and logs in.
func dial(ctx context.Context, o Options) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialFor)
	defer cancel()
	password, err := readPassword(o.PasswordFile)
	if err != nil {
		return nil, err
	}
	dialer := tls.Dialer{Config: &tls.Config{
		// The pinned certificate is the router's name: routers sign their own.
		InsecureSkipVerify: true,
		MinVersion:         tls.VersionTLS12,
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 {
				return errCertificate
			}
			if got := sha256.Sum256(state.PeerCertificates[0].Raw); got != o.Certificate {
				return fmt.Errorf("%w: it has the fingerprint sha256:%s", errCertificate, hex.EncodeToString(got[:]))
			}
			return nil
		},
	}}
	raw, err := dialer.DialContext(ctx, "tcp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("cannot connect: %w", err)
	}
	c := &conn{raw, bufio.NewReader(raw), bufio.NewWriter(raw)}
	deadline, _ := ctx.Deadline()
	c.SetDeadline(deadline)
	replies, err := c.ask("/login", "=name="+o.User, "=password="+password)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot log in as %s: %w", o.User, err), c.Close())
	}
	if done := replies[len(replies)-1]; done.values["ret"] != "" {
		return nil, errors.Join(errors.New("cannot log in: the router wants the login of RouterOS before 6.43"), c.Close())
	}
	return c, nil
}

// readPassword reads a file that only its owner and group may read.
func readPassword(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("cannot read the router's password: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", fmt.Errorf("cannot read the router's password: %w", err)
	}
	if info.Mode()&0o007 != 0 {
		return "", fmt.Errorf("cannot use the router's password: others can read %s; chmod o= %[1]s", path)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxWord))
	if err != nil {
		return "", fmt.Errorf("cannot read the router's password: %w", err)
	}
	return string(bytes.TrimRight(text, "\r\n")), nil
}

// ask gives one command and returns its replies, of which the last is !done. The deadlines are the
// caller's.
func (c *conn) ask(words ...string) ([]reply, error) {
	writeSentence(c.w, words...)
	if err := c.w.Flush(); err != nil {
		return nil, err
	}
	var all []reply
	var refused error
	for len(all) < maxReplies {
		one, err := c.next()
		if err != nil {
			return nil, err
		}
		switch one.word {
		case "!trap":
			refused = errors.Join(refused, &trap{one.values["message"]})
		case "!done":
			if refused != nil {
				return nil, refused
			}
			return append(all, one), nil
		case "!re":
			all = append(all, one)
		}
	}
	return nil, fmt.Errorf("the router answers with more than %d sentences", maxReplies)
}

// next reads a reply; !fatal, after which the router closes the connection, is an error.
func (c *conn) next() (reply, error) {
	one, err := readReply(c.r)
	if err == nil && one.word == "!fatal" {
		err = fmt.Errorf("the router ends the connection: %s", strings.ToValidUTF8(one.text+one.values["message"], "?"))
	}
	return one, err
}

// each gives many commands, some of them at a time, and calls done with what became of each, in any
// order; ret is what the router calls what it made. Its error means that the connection is of no use
// any more.
func (c *conn) each(commands [][]string, done func(i int, ret string, err error)) error {
	refused := map[int]error{}
	for sent, ended := 0, 0; ended < len(commands); {
		for ; sent < len(commands) && sent-ended < window; sent++ {
			writeSentence(c.w, append(commands[sent], ".tag="+strconv.Itoa(sent))...)
		}
		c.SetDeadline(time.Now().Add(stepFor))
		if err := c.w.Flush(); err != nil {
			return err
		}
		one, err := c.next()
		if err != nil {
			return err
		}
		i, err := strconv.Atoi(one.values[".tag"])
		if err != nil || i < 0 || i >= sent {
			return fmt.Errorf("the router answers to a command %q that nobody gave", one.values[".tag"])
		}
		switch one.word {
		case "!trap":
			refused[i] = &trap{one.values["message"]}
		case "!done":
			done(i, one.values["ret"], refused[i])
			ended++
		}
	}
	return nil
}

// list asks for entries, and visits each as it comes.
func (c *conn) list(visit func(reply) error, words ...string) error {
	writeSentence(c.w, words...)
	c.SetDeadline(time.Now().Add(stepFor))
	if err := c.w.Flush(); err != nil {
		return err
	}
	var refused error
	for range maxReplies {
		c.SetDeadline(time.Now().Add(stepFor))
		one, err := c.next()
		if err != nil {
			return err
		}
		switch one.word {
		case "!trap":
			refused = errors.Join(refused, &trap{one.values["message"]})
		case "!done":
			return refused
		case "!re":
			if err := visit(one); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("the router lists more than %d entries", maxReplies)
}
