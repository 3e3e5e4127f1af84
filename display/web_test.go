package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	process "github.com/pialert/pialert/packaging/demo/program"
	"github.com/pialert/pialert/pkg/config"
)

// webProgram runs the program with a configuration of its own.
type webProgram struct {
	t   *testing.T
	ctx context.Context
	dir string
}

func newWebProgram(t *testing.T, web string) *webProgram {
	t.Helper()
	dir, err := os.MkdirTemp("", "web") // t.TempDir's paths are too long for Unix sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	p := &webProgram{t, ctx, dir}
	config := fmt.Sprintf("state: %s\ncontrol: %[1]s/c.sock\nmetrics: \"\"\ndriver: none\nweb: %s\n", dir, web)
	if err := os.WriteFile(filepath.Join(dir, "display.yaml"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *webProgram) command(args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	command := exec.CommandContext(p.ctx, self, append(args, "--config", filepath.Join(p.dir, "display.yaml"))...)
	command.Env = append(os.Environ(), "PIALERT_DISPLAY_MAIN=1")
	return command
}

// try runs a command to its end with a text as its input, and returns all of its output.
func (p *webProgram) try(input string, args ...string) (string, error) {
	command := p.command(args...)
	command.Stdin = strings.NewReader(input)
	out, err := command.CombinedOutput()
	return string(out), err
}

var servedAt = regexp.MustCompile(`msg="serving the page" at=(\S+)(?: fingerprint=(\S+))?`)

// run starts the display and returns the page's address and its certificate's fingerprint.
func (p *webProgram) run() (at, fingerprint string) {
	p.t.Helper()
	running, err := process.Start(p.command("run"))
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(running.Kill)
	if err := running.Stderr.Await(p.ctx, func(text string) bool { return servedAt.MatchString(text) || running.Ended() }); err != nil {
		p.t.Fatal(err)
	}
	match := servedAt.FindStringSubmatch(running.Stderr.String())
	if match == nil {
		p.t.Fatalf("no page is served:\n%s", running.Stderr)
	}
	return match[1], match[2]
}

// client is a browser that follows no redirect, and keeps the fingerprint that it saw.
func client(fingerprint *string) *http.Client {
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{TLSClientConfig: &tls.Config{
			InsecureSkipVerify: true, // the fingerprint is compared
			VerifyConnection: func(state tls.ConnectionState) error {
				var pairs []string
				for _, b := range sha256.Sum256(state.PeerCertificates[0].Raw) {
					pairs = append(pairs, fmt.Sprintf("%02X", b))
				}
				*fingerprint = strings.Join(pairs, ":")
				return nil
			},
		}},
	}
}

// port is the address of 127.0.0.1 for one of every address.
func port(t *testing.T, at string) string {
	t.Helper()
	parsed, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	parsed.Host = "127.0.0.1:" + parsed.Port()
	return parsed.String()
}

func TestThePageIsForThisMachineUnlessItHasAPassword(t *testing.T) {
	t.Parallel()
	for _, listen := range []string{"0.0.0.0:0", "[::]:0", ":0"} {
		p := newWebProgram(t, fmt.Sprintf("{listen: %q}", listen))
		out, err := p.try("", "run")
		if err == nil || !strings.Contains(out, "without a password") || !strings.Contains(out, "web password") {
			t.Errorf("at %s without a password it says %q, %v", listen, out, err)
		}
	}
	p := newWebProgram(t, "{listen: 127.0.0.1:0}")
	at, _ := p.run()
	answer, err := http.Get(at)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	if !strings.HasPrefix(at, "http://127.0.0.1:") || answer.StatusCode != 200 || !strings.Contains(string(body), "attempts") {
		t.Errorf("%s answers %d: %.200s", at, answer.StatusCode, body)
	}
}

// With a password the page is served elsewhere, too, but by TLS only: with a key that lasts and that
// its owner can compare.
func TestOffTheLoopbackThePageHasAPasswordAndTLS(t *testing.T) {
	t.Parallel()
	p := newWebProgram(t, "{listen: \"0.0.0.0:0\"}")
	if out, err := p.try("short\n", "web", "password"); err == nil || !strings.Contains(out, "too short") {
		t.Errorf("a short password: %q, %v", out, err)
	}
	if out, err := p.try("correct horse\n", "web", "password"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if info, err := os.Stat(filepath.Join(p.dir, "web.password")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file of the password: %v, %v", info, err)
	}
	printed, err := p.try("", "web", "fingerprint")
	if err != nil {
		t.Fatalf("%v: %s", err, printed)
	}
	at, logged := p.run()
	var seen string
	browser := client(&seen)
	answer, err := browser.Get(port(t, at))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/login" {
		t.Errorf("without a login: %d to %q", answer.StatusCode, answer.Header.Get("Location"))
	}
	if logged != seen || strings.TrimSpace(printed) != seen {
		t.Errorf("the browser sees %s; logged is %s, printed %s", seen, logged, printed)
	}
	if plain, err := http.Get(strings.Replace(port(t, at), "https", "http", 1)); err == nil {
		plain.Body.Close()
		if plain.StatusCode == 200 {
			t.Error("it answers without TLS")
		}
	}
	for password, want := range map[string]int{"wrong horse": http.StatusUnauthorized, "correct horse": http.StatusSeeOther} {
		answer, err := browser.PostForm(port(t, at)+"login", url.Values{"password": {password}})
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		cookie := answer.Header.Get("Set-Cookie")
		if answer.StatusCode != want || (want == http.StatusSeeOther) != (strings.HasPrefix(cookie, "__Host-pialert=") && strings.Contains(cookie, "Secure")) {
			t.Errorf("with %q: %d, %q", password, answer.StatusCode, cookie)
		}
	}
	if out, err := p.try("", "web", "password", "--remove"); err == nil {
		t.Errorf("the password was removed: %s", out)
	}
}

func TestPlainHTTPOffTheLoopbackNeedsItsOwnWord(t *testing.T) {
	t.Parallel()
	p := newWebProgram(t, "{listen: \"0.0.0.0:0\", plain_http: true}")
	if out, err := p.try("", "run"); err == nil || !strings.Contains(out, "without a password") {
		t.Errorf("without a password it says %q, %v", out, err)
	}
	if out, err := p.try("correct horse", "web", "password"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	at, _ := p.run()
	if !strings.HasPrefix(at, "http://") {
		t.Errorf("it is served at %s", at)
	}
}

func TestWebConfiguration(t *testing.T) {
	for web, want := range map[string]string{
		"{listen: nowhere}": "web.listen", "{hosts: [\"a b\"]}": "web.hosts[0]", "{hosts: [\"pi:9480\"]}": "web.hosts[0]",
		"{certificate: a.pem}": "web.key", "{certificate: a, key: b, plain_http: true}": "web.plain_http",
		"{listen: \"\"}": "", "{listen: \"localhost:9480\", hosts: [pi.example.net]}": "",
	} {
		path := filepath.Join(t.TempDir(), "display.yaml")
		if err := os.WriteFile(path, []byte("web: "+web+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		cfg := defaults()
		err := config.Load(path, &cfg)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", web, err, want)
		}
	}
}
