// Package smtp sends notices by mail.
//
// It promises one mail for each call, to all recipients or to none, as text and as simple HTML with
// the bars as a picture inside it. Its Message-ID is the same at every attempt of one notice, so
// that a mailbox can tell a second attempt from a second notice, and Auto-Submitted keeps other
// machines from answering (RFC 3834, section 5). STARTTLS is demanded, not hoped for, and a
// password is never sent without TLS.
package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"github.com/pialert/pialert/display/internal/notice/channel"
	"github.com/pialert/pialert/pkg/attack"
)

// How a connection is encrypted.
const (
	StartTLS = "starttls" // RFC 3207, usually on port 587
	Implicit = "implicit" // RFC 8314, usually on port 465
	None     = "none"     // for a relay on this machine
)

// Options say by which server, from whom and to whom. Empty fields are as documented.
type Options struct {
	Server   string // host:port
	TLS      string // empty means StartTLS
	From     string
	To       []string
	User     string // empty where the server needs no login
	Password string
	Config   *tls.Config // nil verifies by the system's roots
}

// Channel sends by one server. Its methods may be called from several goroutines at once.
type Channel struct {
	options Options
	host    string
	port    int
}

// New checks the options. It connects to nothing.
func New(options Options) (*Channel, error) {
	host, port, err := net.SplitHostPort(options.Server)
	n, numberErr := strconv.ParseUint(port, 10, 16)
	if err != nil || numberErr != nil || host == "" {
		return nil, fmt.Errorf("%q is no mail server: write it as smtp.example.org:587", options.Server)
	}
	switch options.TLS {
	case "":
		options.TLS = StartTLS
	case StartTLS, Implicit:
	case None:
		if options.User != "" {
			return nil, errors.New("a password would be sent in the clear: use starttls or implicit, or leave the user out")
		}
	default:
		return nil, fmt.Errorf("%q is no kind of TLS: use starttls, implicit or none", options.TLS)
	}
	c := &Channel{options, host, int(n)}
	if len(options.To) == 0 {
		return nil, errors.New("name at least one recipient")
	}
	if _, err := c.mail(&channel.Message{}); err != nil {
		return nil, err
	}
	return c, nil
}

// Send sends a message and returns what the server said.
func (c *Channel) Send(ctx context.Context, m *channel.Message) (string, error) {
	message, err := c.mail(m)
	if err != nil {
		return "", &channel.Failure{Outcome: channel.Refused, Answer: channel.OneLine(err.Error())}
	}
	ctx, cancel := context.WithTimeout(ctx, channel.Timeout)
	defer cancel() // closes the connection, which the library leaves open after some errors
	client, err := c.client(ctx)
	if err != nil {
		return "", &channel.Failure{Outcome: channel.Refused, Answer: channel.OneLine(err.Error())}
	}
	session, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return "", failure(err)
	}
	defer client.CloseWithSMTPClient(session)
	return deliver(ctx, session, message)
}

// deliver gives a mail to the server. The final dot alone hands it over (RFC 5321, section 4.1.1.4): a server that loses the
// connection before has taken nothing.
func deliver(ctx context.Context, session *smtp.Client, message *mail.Msg) (answer string, err error) {
	from, err := message.GetSender(false)
	if err != nil {
		return "", failure(err)
	}
	to, err := message.GetRecipients()
	if err != nil {
		return "", failure(err)
	}
	if err := session.Mail(from); err != nil {
		return "", failure(err)
	}
	for _, one := range to { // all or none: without DATA nobody gets it
		if err := session.Rcpt(one); err != nil {
			return "", failure(err)
		}
	}
	body, err := session.Data()
	if err != nil {
		return "", failure(err)
	}
	_, err = message.WriteTo(body)
	if err == nil {
		err = channel.Handover(ctx)
	}
	if err != nil {
		session.Close() // to say QUIT would end the mail with a dot first
		return "", failure(err)
	}
	if err := body.Close(); err != nil {
		said := failure(err)
		if !answered(err) {
			said.Outcome = channel.Unknown
		}
		return "", said
	}
	if said, ok := body.(*smtp.DataCloser); ok {
		answer = said.ServerResponse()
	}
	return channel.OneLine(answer), nil
}

// client returns a client whose connection ends with ctx.
func (c *Channel) client(ctx context.Context) (*mail.Client, error) {
	options := []mail.Option{
		mail.WithPort(c.port), mail.WithTimeout(channel.Timeout), mail.WithoutNoop(), mail.WithTLSConfig(c.tls()),
	}
	switch c.options.TLS {
	case Implicit: // the library takes a connection for encrypted only if it dialled it
		options = append(options, mail.WithSSL())
	case StartTLS:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory), mail.WithDialContextFunc(dialer(ctx)))
	case None:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS), mail.WithDialContextFunc(dialer(ctx)))
	}
	if c.options.User != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover),
			mail.WithUsername(c.options.User), mail.WithPassword(c.options.Password))
	}
	return mail.NewClient(c.host, options...)
}

// dialer closes what it dialled when ctx ends.
func dialer(ctx context.Context) mail.DialContextFunc {
	return func(_ context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			context.AfterFunc(ctx, func() { conn.Close() })
		}
		return conn, err
	}
}

func (c *Channel) tls() *tls.Config {
	config := &tls.Config{}
	if c.options.Config != nil {
		config = c.options.Config.Clone()
	}
	config.ServerName, config.MinVersion = c.host, tls.VersionTLS12
	return config
}

// failure reads from an error what became of a mail that was not handed over, or was answered (RFC 5321, section 4.2.1):
// codes of 500 are final, those of 400 are not.
func failure(err error) *channel.Failure {
	said := &channel.Failure{Outcome: channel.Failed, Answer: channel.OneLine(err.Error())}
	var code *textproto.Error
	if errors.As(err, &code) && code.Code/100 == 5 {
		said.Outcome = channel.Refused
	}
	return said
}

// answered says that a server gave a reason. What is no reply of SMTP at all is none.
func answered(err error) bool {
	var code *textproto.Error
	return errors.As(err, &code)
}

// importance is what mail programs mark (RFC 4021, section 2.1.53).
var importance = map[attack.Severity]mail.Importance{
	attack.Info: mail.ImportanceLow, attack.Low: mail.ImportanceNormal, attack.Medium: mail.ImportanceNormal, attack.High: mail.ImportanceHigh,
}

// mail writes a message as a mail.
func (c *Channel) mail(m *channel.Message) (*mail.Msg, error) {
	message := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := message.From(c.options.From); err != nil {
		return nil, fmt.Errorf("%q is no address to send from: %w", c.options.From, err)
	}
	if err := message.To(c.options.To...); err != nil {
		return nil, fmt.Errorf("%q are no addresses to send to: %w", c.options.To, err)
	}
	message.SetMessageIDWithValue(m.ID + "@" + c.domain())
	message.SetDateWithValue(dated(m.At))
	message.SetGenHeader("Auto-Submitted", "auto-generated")
	message.SetGenHeader("X-Auto-Response-Suppress", "All")
	message.SetImportance(importance[m.Severity])
	message.Subject(channel.OneLine(m.Subject)) // no line of a header ends in it
	message.SetBodyString(mail.TypeTextPlain, m.Text())
	page, picture, err := render(m)
	if err != nil {
		return nil, err
	}
	message.AddAlternativeString(mail.TypeTextHTML, page)
	if picture != nil {
		if err := message.EmbedReader(pictureName, picture, mail.WithFileContentID(pictureName)); err != nil {
			return nil, err
		}
	}
	return message, nil
}

// domain is the sender's, for the Message-ID.
func (c *Channel) domain() string {
	address := strings.TrimRight(c.options.From, "> ")
	return address[strings.LastIndexByte(address, '@')+1:]
}

func dated(at time.Time) time.Time {
	if at.IsZero() {
		return time.Now()
	}
	return at
}
