package notices

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/packaging/demo/program"
	"github.com/pialert/pialert/test/suite"
)

// programs are what TestMain built.
var programs program.Binaries

func TestMain(m *testing.M) { suite.MainWith(m, &programs) }

// home is a server under attack and a display without any hardware that tells of it.
type home struct {
	*program.Pair
	t       *testing.T
	ctx     context.Context
	dir     string
	log     *os.File
	display *program.Process
	agent   *program.Process
}

// settle starts a paired agent and display. The display has notices, and trusts the certificates of
// roots.pem in its folder, where it also finds its credentials; the file named proxy is the URL of
// its proxy. Files are written into that folder before. The agent reads other logs, too, from their beginning.
func settle(t *testing.T, notices string, files map[string][]byte, logs ...string) *home {
	t.Helper()
	return settleWith(t, program.Settings{Display: "notices:\n" + notices}, files, logs...)
}

// settleWith is settle with more of either configuration.
func settleWith(t *testing.T, settings program.Settings, files map[string][]byte, logs ...string) *home {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute+time.Duration(*kills)*6*time.Second)
	t.Cleanup(cancel)
	dir, err := os.MkdirTemp("", "notices") // t.TempDir's paths are too long for Unix sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	h := &home{t: t, ctx: ctx, dir: dir}
	for name, content := range files {
		h.must(os.WriteFile(h.path(name), content, 0o600))
	}
	if h.log, err = os.Create(h.path("auth.log")); err != nil {
		t.Fatal(err)
	}
	followed := []string{"{path: " + h.path("auth.log") + "}"}
	for _, log := range logs {
		followed = append(followed, "{path: "+log+", start: beginning}")
	}
	settings.Logs, settings.Agent = followed, "ignore_self: false\n"+settings.Agent
	h.Pair, err = program.LayOut(dir, programs, settings)
	h.must(err)
	h.Command = func(path string, args ...string) *exec.Cmd {
		command := exec.Command(path, args...)
		command.Env = append(os.Environ(), "SSL_CERT_FILE="+h.path("roots.pem"), "CREDENTIALS_DIRECTORY="+dir, "HTTPS_PROXY="+string(files["proxy"]))
		return command
	}
	h.startAgent()
	h.start()
	h.must(h.Join(ctx))
	h.must(program.Poll(ctx, func() error { // the log is followed from here on
		status, err := h.AgentStatus(ctx)
		if err == nil && len(status.Sources) != len(followed) {
			err = fmt.Errorf("no log is followed yet")
		}
		return err
	}))
	return h
}

func (h *home) path(name string) string { return filepath.Join(h.dir, name) }

func (h *home) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// trusting is a client's TLS that trusts some certificates.
func (h *home) trusting(roots []byte) *tls.Config {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(roots)
	return &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}
}

// startAgent starts the agent, which ends with the test.
func (h *home) startAgent() {
	h.t.Helper()
	agent, err := h.StartAgent()
	h.must(err)
	h.agent = agent
	h.t.Cleanup(agent.Kill)
}

// start starts the display, which ends with the test.
func (h *home) start() {
	h.t.Helper()
	display, err := h.StartDisplay()
	h.must(err)
	h.display = display
	h.t.Cleanup(func() {
		display.Kill()
		if h.t.Failed() {
			h.t.Logf("the display wrote:\n%s", display.Stderr)
		}
	})
}

// attack writes lines of failed logins of a user, each of another connection.
func (h *home) attack(user string, lines int) {
	h.t.Helper()
	for range lines {
		attempts++
		_, err := fmt.Fprintf(h.log, "%s web1 sshd[%d]: Failed password for %s from 203.0.113.7 port %d ssh2\n",
			time.Now().Format(time.RFC3339), attempts, user, 1024+attempts%60000)
		h.must(err)
	}
}

var attempts int // written so far, by all tests

// entry is a message as `pialert-display notices list --format json` prints it.
type entry struct {
	ID       int64
	Channel  string
	State    string
	Attempts int
	Unknown  int
	Answer   string
	Subject  string
}

// outbox returns the messages.
func (h *home) outbox() (all []entry, err error) {
	out, err := h.Display(h.ctx, "notices", "list", "--limit", "10000", "--format", "json")
	if err != nil {
		return nil, err
	}
	for decoder := json.NewDecoder(strings.NewReader(out)); decoder.More(); {
		var one entry
		if err := decoder.Decode(&one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// await waits until every message is through, one at least, and returns them.
func (h *home) await() (all []entry) {
	h.t.Helper()
	h.must(program.Poll(h.ctx, func() (err error) {
		if all, err = h.outbox(); err != nil {
			return err
		}
		for _, one := range all {
			if one.State != "delivered" && one.State != "failed" {
				return fmt.Errorf("still %+v", one)
			}
		}
		if len(all) == 0 {
			return fmt.Errorf("no notice yet")
		}
		return nil
	}))
	return all
}
