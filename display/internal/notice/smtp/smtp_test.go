package smtp_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/notice/channel"
	"github.com/pialert/pialert/display/internal/notice/smtp"
	"github.com/pialert/pialert/pkg/attack"
)

// server is a mail server that says what a test wants at one of the steps of RFC 5321, and takes
// everything else.
type server struct {
	address string
	says    map[string]string // by the command's first word, or "." for the final dot; "hang up" does, "silence" says nothing more
	silent  chan struct{}     // is closed when nothing more is said
	mail    chan string       // what came between DATA and the final dot
}

func start(t *testing.T, says map[string]string) *server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{address: listener.Addr().String(), says: says, silent: make(chan struct{}), mail: make(chan string, 1)}
	done := make(chan struct{})
	t.Cleanup(func() { listener.Close(); <-done })
	go func() {
		defer close(done)
		if conn, err := listener.Accept(); err == nil {
			s.serve(conn)
			conn.Close()
		}
	}()
	return s
}

func (s *server) serve(conn net.Conn) {
	in := bufio.NewReader(conn)
	say := func(step, otherwise string) bool {
		line, ok := s.says[step]
		if !ok {
			line = otherwise
		}
		switch line {
		case "hang up":
			return false
		case "silence":
			close(s.silent)
			io.Copy(io.Discard, conn) // until the other end gives up
			return false
		}
		_, err := io.WriteString(conn, line+"\r\n")
		return err == nil
	}
	for more := say("", "220 mx.example.org ESMTP"); more; {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		switch verb := strings.ToUpper(strings.Fields(line)[0]); verb {
		case "EHLO":
			more = say(verb, "250-mx.example.org\r\n250 8BITMIME")
		case "DATA":
			if more = say(verb, "354 go on"); !more || s.says[verb] != "" {
				continue
			}
			var text strings.Builder
			for {
				line, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				text.WriteString(strings.TrimPrefix(line, "."))
			}
			s.mail <- text.String()
			more = say(".", "250 2.0.0 queued as 17")
		case "QUIT":
			say(verb, "221 bye")
			return
		default:
			more = say(verb, "250 ok")
		}
	}
}

func send(t *testing.T, s *server, m *channel.Message) (string, *channel.Failure) {
	t.Helper()
	c, err := smtp.New(smtp.Options{Server: s.address, TLS: smtp.None, From: "PiAlert <pi@example.org>", To: []string{"me@example.org", "you@example.net"}})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := c.Send(t.Context(), m)
	var failure *channel.Failure
	if err != nil && !errors.As(err, &failure) {
		t.Fatalf("%T is no failure", err)
	}
	return answer, failure
}

func TestMail(t *testing.T) {
	s := start(t, nil)
	m := channel.Message{
		ID: "n17", At: time.Date(2026, 11, 21, 7, 30, 0, 0, time.UTC), Severity: attack.High,
		Subject: "Ein Gruß\r\nBcc: eve@example.org",
		Lines:   []string{`412 attempts by <b>"root"</b>`, "."},
		Tables:  []channel.Table{{Title: "Users", Rows: []channel.Row{{Name: "<script>alert(1)</script>", Count: 3}}}},
		Bars:    &channel.Bars{From: time.Date(2026, 11, 20, 22, 0, 0, 0, time.UTC), Step: time.Hour, Counts: []uint64{1, 8}},
		Link:    "https://pi.example.org/",
	}
	answer, failure := send(t, s, &m)
	if failure != nil || answer != "2.0.0 queued as 17" {
		t.Errorf("answer %q, %v", answer, failure)
	}
	got, err := mail.ReadMessage(strings.NewReader(<-s.mail))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"Message-Id": "<n17@example.org>", "Auto-Submitted": "auto-generated", "Date": "Sat, 21 Nov 2026 07:30:00 +0000",
		"Bcc": "", "User-Agent": "", "X-Mailer": "", "Importance": "high",
	} {
		if got.Header.Get(key) != want {
			t.Errorf("%s: %q, want %q", key, got.Header.Get(key), want)
		}
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject"))
	if err != nil || subject != "Ein Gruß Bcc: eve@example.org" {
		t.Errorf("subject %q, %v", subject, err)
	}
	parts := map[string]string{}
	collect(t, got.Header.Get("Content-Type"), got.Body, parts)
	if want := "412 attempts by <b>\"root\"</b>\r\n.\r\n"; !strings.HasPrefix(parts["text/plain"], want) {
		t.Errorf("text %q, want %q first", parts["text/plain"], want)
	}
	html := parts["text/html"]
	if strings.Contains(html, "<script") || strings.Contains(html, "<b>") || !strings.Contains(html, "&lt;script&gt;") || !strings.Contains(html, `src="cid:attempts.png"`) {
		t.Errorf("page %s", html)
	}
	if !strings.HasPrefix(parts["image/png"], "iVBORw0KGgo") { // base64 of PNG's signature
		t.Errorf("picture %.40q", parts["image/png"])
	}
}

// collect finds the parts of a mail by their type.
func collect(t *testing.T, kind string, body io.Reader, parts map[string]string) {
	t.Helper()
	media, params, err := mime.ParseMediaType(kind)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(media, "multipart/") {
		text, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		parts[media] = string(text)
		return
	}
	for reader := multipart.NewReader(body, params["boundary"]); ; {
		part, err := reader.NextRawPart()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		var content io.Reader = part
		if part.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
			content = quotedprintable.NewReader(part)
		}
		collect(t, part.Header.Get("Content-Type"), content, parts)
	}
}

func TestOutcomes(t *testing.T) {
	for name, test := range map[string]struct {
		says map[string]string
		want channel.Outcome // 0 if it arrived
		has  string
	}{
		"greylisted":                 {map[string]string{"RCPT": "451 4.7.1 try again later"}, channel.Failed, "try again later"},
		"no such box":                {map[string]string{"RCPT": "550 5.1.1 no such user"}, channel.Refused, "no such user"},
		"not from you":               {map[string]string{"MAIL": "553 5.7.1 sender refused"}, channel.Refused, "sender refused"},
		"full":                       {map[string]string{".": "452 4.3.1 insufficient storage"}, channel.Failed, "insufficient storage"},
		"spam":                       {map[string]string{".": "554 5.7.1 looks like spam"}, channel.Refused, "looks like spam"},
		"gone after the final dot":   {map[string]string{".": "hang up"}, channel.Unknown, "EOF"},
		"gone before the data":       {map[string]string{"DATA": "hang up"}, channel.Failed, "EOF"},
		"gone at once":               {map[string]string{"": "hang up"}, channel.Failed, "EOF"},
		"closed for now":             {map[string]string{"": "421 closing"}, channel.Failed, "421"},
		"closed for good":            {map[string]string{"": "554 no mail from you"}, channel.Refused, "no mail from you"},
		"garbage":                    {map[string]string{"": "HTTP/1.1 400 Bad Request"}, channel.Failed, "HTTP/1.1"},
		"refuses what comes after":   {map[string]string{"RSET": "421 closing"}, 0, ""},
		"hangs up once it has taken": {map[string]string{"QUIT": "hang up"}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, failure := send(t, start(t, test.says), &channel.Message{ID: "n1", Subject: "x"})
			switch {
			case test.want == 0 && failure != nil:
				t.Errorf("failed: %v", failure)
			case test.want != 0 && (failure == nil || failure.Outcome != test.want || !strings.Contains(failure.Answer, test.has)):
				t.Errorf("got %+v, want outcome %d with %q", failure, test.want, test.has)
			}
		})
	}
}

// A server that says nothing more may have taken the mail if it got all of it, and else has not.
func TestSilence(t *testing.T) {
	for step, want := range map[string]channel.Outcome{"": channel.Failed, "MAIL": channel.Failed, "DATA": channel.Failed, ".": channel.Unknown, "QUIT": 0} {
		s := start(t, map[string]string{step: "silence"})
		c, err := smtp.New(smtp.Options{Server: s.address, TLS: smtp.None, From: "pi@example.org", To: []string{"me@example.org"}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, giveUp := context.WithCancel(t.Context())
		go func() {
			<-s.silent
			giveUp()
		}()
		_, err = c.Send(ctx, &channel.Message{ID: "n1", Subject: "x"})
		var failure *channel.Failure
		if errors.As(err, &failure); (err == nil) != (want == 0) || err != nil && (failure == nil || failure.Outcome != want) {
			t.Errorf("silence at %q: got %+v (%v), want outcome %d", step, failure, err, want)
		}
	}
}

// A mail is handed over by its final dot alone: whatever the server refuses or breaks off before, nothing was. If handing
// over fails, the server gets no dot.
func TestHandover(t *testing.T) {
	for name, test := range map[string]struct {
		says  map[string]string
		fault error
		asked bool
		taken bool
	}{
		"noted":     {nil, nil, true, true},
		"not noted": {nil, errors.New("no space left"), true, false},
		"closed":    {map[string]string{"": "421 closing"}, nil, false, false},
		"no sender": {map[string]string{"MAIL": "451 later"}, nil, false, false},
		"nobody":    {map[string]string{"RCPT": "451 later"}, nil, false, false},
		"no data":   {map[string]string{"DATA": "451 later"}, nil, false, false},
	} {
		s := start(t, test.says)
		c, err := smtp.New(smtp.Options{Server: s.address, TLS: smtp.None, From: "pi@example.org", To: []string{"me@example.org"}})
		if err != nil {
			t.Fatal(err)
		}
		asked := false
		_, err = c.Send(channel.WithHandover(t.Context(), func() error {
			asked = true
			return test.fault
		}), &channel.Message{ID: "n1", Subject: "x"})
		if asked != test.asked || len(s.mail) == 1 != test.taken || (err == nil) != test.taken {
			t.Errorf("%s: handed over %v, %d mails, error %v", name, asked, len(s.mail), err)
		}
		var failure *channel.Failure
		if errors.As(err, &failure); err != nil && failure.Outcome != channel.Failed {
			t.Errorf("%s: outcome %+v", name, failure)
		}
	}
}

// A server without TLS gets no mail unless the owner said so, and never a password.
func TestTLSIsDemanded(t *testing.T) {
	s := start(t, nil)
	c, err := smtp.New(smtp.Options{Server: s.address, From: "pi@example.org", To: []string{"me@example.org"}, User: "pi", Password: "SECRET"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Send(t.Context(), &channel.Message{ID: "n1"}); err == nil || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("got %v", err)
	}
	select {
	case text := <-s.mail:
		t.Errorf("the server got %q", text)
	default:
	}
}

func TestOptions(t *testing.T) {
	good := smtp.Options{Server: "smtp.example.org:587", From: "pi@example.org", To: []string{"me@example.org"}}
	for name, spoil := range map[string]func(*smtp.Options){
		"no port":        func(o *smtp.Options) { o.Server = "smtp.example.org" },
		"no host":        func(o *smtp.Options) { o.Server = ":25" },
		"no such TLS":    func(o *smtp.Options) { o.TLS = "ssl" },
		"clear password": func(o *smtp.Options) { o.TLS, o.User = "none", "pi" },
		"nobody":         func(o *smtp.Options) { o.To = nil },
		"no sender":      func(o *smtp.Options) { o.From = "" },
		"two in one":     func(o *smtp.Options) { o.To = []string{"me@example.org\r\nBcc: eve@example.org"} },
	} {
		options := good
		spoil(&options)
		if _, err := smtp.New(options); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := smtp.New(good); err != nil {
		t.Error(err)
	}
}
