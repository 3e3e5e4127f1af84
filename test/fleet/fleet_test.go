package fleet

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/pialert/pialert/packaging/demo/program"
)

// owned is a fleet as its owner sets it up: fleet init, Debian's nats-server, and a display there.
func owned(t *testing.T) (s *stage, broker *debian) {
	t.Helper()
	s = newStage(t, "nats://127.0.0.1:1", "")
	port := freePort(t)
	folder := filepath.Join(s.Dir, "nats")
	base := withoutLink(t, s.DisplayConfig)
	said, err := program.Run(s.ctx, s.Command(programs.Display, "fleet", "init", "--config", s.DisplayConfig,
		"--server", fmt.Sprintf("tls://127.0.0.1:%d", port), "--out", folder, "--folder", folder, "--store", filepath.Join(s.Dir, "store")))
	s.must(err)
	_ = said
	if err := os.WriteFile(s.DisplayConfig, []byte(base+linkOf(t, s, port)), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.AgentConfig, []byte(withoutLink(t, s.AgentConfig)), 0o644); err != nil {
		t.Fatal(err)
	}
	broker = &debian{config: filepath.Join(folder, "nats-server.conf")}
	broker.start(t)
	t.Cleanup(func() {
		broker.Kill()
		if t.Failed() {
			t.Logf("the broker wrote:\n%s", broker.Stderr)
		}
	})
	return s, broker
}

// linkOf is what fleet init says to put into the display's configuration.
func linkOf(t *testing.T, s *stage, port int) string {
	t.Helper()
	again := exec.CommandContext(s.ctx, programs.Display, "fleet", "init", "--config", s.DisplayConfig,
		"--out", filepath.Join(s.Dir, "nats"), "--folder", filepath.Join(s.Dir, "nats"), "--store", filepath.Join(s.Dir, "store"))
	out, err := again.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, text, _ := strings.Cut(string(out), "\nlink:\n")
	text, _, _ = strings.Cut(text, "\n\n")
	if !strings.Contains(text, fmt.Sprint(port)) {
		t.Fatalf("fleet init says nothing of link:\n%s", out)
	}
	return "link:\n" + text + "\n"
}

func withoutLink(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var kept []string
	for _, line := range strings.Split(string(text), "\n") {
		if !strings.HasPrefix(line, "link:") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

// An owner sets up Debian's nats-server with what fleet init writes, and brings a server in with the one
// line that fleet add prints.
func TestAnOwnerBeginsAFleet(t *testing.T) {
	s, broker := owned(t)
	if _, err := os.Stat(filepath.Join(s.Dir, "display", "peers.json")); err != nil {
		t.Errorf("the display's unit waits for a file that pairing makes, and by a broker only a display that runs pairs: %v", err)
	}
	s.startDisplay()
	line, err := s.Display(s.ctx, "fleet", "add", "web1")
	s.must(err)
	words := strings.Fields(line)
	if len(words) != 4 || strings.Join(words[:3], " ") != "sudo pialert-agent join" {
		t.Fatalf("fleet add printed %q", line)
	}
	if len(line) > 4095 {
		t.Errorf("the line has %d characters: no terminal takes it", len(line))
	}
	if _, err = s.Agent(s.ctx, "join", words[3]); err != nil {
		t.Fatalf("%v\nbroker:\n%s\ndisplay:\n%s", err, broker.Stderr, s.display.Stderr)
	}
	s.startAgent()
	s.attack(300)
	s.counted()

	status, err := s.Display(s.ctx, "fleet", "status", "--all")
	s.must(err)
	if !strings.Contains(status, "1 agent:") || !strings.Contains(status, "web1") || !strings.Contains(status, "connected to tls://") {
		t.Errorf("fleet status says:\n%s", status)
	}
	// The server was asked how it keeps its files.
	if !strings.Contains(status, "syncs its files every 2m0s, not always") {
		t.Errorf("fleet status says nothing of what a power cut costs:\n%s", status)
	}
	// The line is good for one machine.
	text := withoutLink(t, s.AgentConfig)
	text, _, _ = strings.Cut(text, "\n# Added by")
	other := filepath.Join(s.Dir, "elsewhere", "agent.yaml")
	s.must(os.Mkdir(filepath.Dir(other), 0o755))
	s.must(os.WriteFile(other, []byte(strings.ReplaceAll(text, s.Dir+"/agent", s.Dir+"/other")), 0o644))
	said, err := program.Run(s.ctx, s.Command(programs.Agent, "join", words[3], "--config", other))
	if err == nil || !strings.Contains(err.Error(), "used by another machine") {
		t.Errorf("another machine uses the line again: %v\n%s", err, said)
	}
}

// A thousand servers are invited by one file, and each line brings in the server that it names.
func TestInvitesAThousand(t *testing.T) {
	s, broker := owned(t)
	s.startDisplay()
	var hosts strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&hosts, "web%04d # rack %d\n", i, i%7)
	}
	list := filepath.Join(s.Dir, "hosts.txt")
	s.must(os.WriteFile(list, []byte("# all of them\n\n"+hosts.String()), 0o644))
	out, err := s.Display(s.ctx, "fleet", "add", "--from", list)
	s.must(err)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 1000 {
		t.Fatalf("%d lines for 1000 servers", len(lines))
	}
	seen := map[string]bool{}
	for i, line := range lines {
		name, command, _ := strings.Cut(line, "\t")
		if name != fmt.Sprintf("web%04d", i) || !strings.HasPrefix(command, "sudo pialert-agent join ") || seen[command] {
			t.Fatalf("line %d is for %q: %q", i, name, command)
		}
		seen[command] = true
	}
	_, command, _ := strings.Cut(lines[700], "\t")
	if _, err := s.Agent(s.ctx, "join", strings.Fields(command)[3]); err != nil {
		t.Fatalf("%v\nbroker:\n%s", err, broker.Stderr)
	}
	s.startAgent()
	s.attack(20)
	s.counted()
	if status, err := s.Display(s.ctx, "fleet", "status", "--all"); err != nil || !strings.Contains(status, "web0700") {
		t.Errorf("fleet status says %s, error %v", status, err)
	}
	s.must(os.WriteFile(list, []byte("web1\nno good name\n"), 0o644))
	if out, err := s.Display(s.ctx, "fleet", "add", "--from", list); err == nil || !strings.Contains(err.Error(), list+":2:") {
		t.Errorf("a bad name is taken: %v\n%s", err, out)
	}
}

// What an agent that was removed has lets nobody in, once the server has read what was written anew.
func TestRemovedCredentialsLetNobodyIn(t *testing.T) {
	s, broker := owned(t)
	s.startDisplay()
	for _, name := range []string{"web1", "web2"} {
		line, err := s.Display(s.ctx, "fleet", "add", name)
		s.must(err)
		if name == "web2" {
			continue // its line is not used
		}
		_, err = s.Agent(s.ctx, "join", strings.Fields(line)[3])
		s.must(err)
	}
	s.startAgent()
	s.attack(10)
	s.counted()
	if said, err := s.Display(s.ctx, "fleet", "remove", "nobody"); err == nil || !strings.Contains(err.Error(), "no credentials were made here") {
		t.Errorf("somebody unknown is removed: %s, %v", said, err)
	}
	said, err := s.Display(s.ctx, "fleet", "remove", "web1")
	s.must(err)
	if !strings.Contains(said, "revoked 1 credential of web1") || !strings.Contains(said, "unpair web1") {
		t.Errorf("fleet remove says %q", said)
	}
	connect := func() error {
		conn, err := nats.Connect(s.setting("servers"), nats.UserCredentials(s.setting("credentials")), nats.RootCAs(s.setting("ca")), nats.Timeout(20*time.Second))
		if err == nil {
			conn.Close()
		}
		return err
	}
	s.must(connect()) // the server knows nothing yet
	folder := filepath.Join(s.Dir, "nats")
	_, err = program.Run(s.ctx, s.Command(programs.Display, "fleet", "init", "--config", s.DisplayConfig,
		"--out", folder, "--folder", folder, "--store", filepath.Join(s.Dir, "store")))
	s.must(err)
	before := len(broker.Stderr.String())
	s.must(broker.Signal(syscall.SIGHUP)) // nats-server --signal reload
	s.must(program.Poll(s.ctx, func() error {
		if err := connect(); !errors.Is(err, nats.ErrAuthorization) {
			return fmt.Errorf("removed credentials: %v\n%s", err, broker.Stderr)
		}
		return nil
	}))
	s.must(program.Poll(s.ctx, func() error { // who was connected is put out
		status, err := s.Agent(s.ctx, "status")
		if !strings.Contains(status, "uthorization") {
			err = fmt.Errorf("the agent's status says %s, %v", status, err)
		} else {
			err = nil
		}
		return err
	}))
	if said := broker.Stderr.String()[before:]; strings.Contains(said, "Error configuring") {
		t.Errorf("the server that was told to read it cannot go on as before:\n%s", said)
	}
	if pending, err := s.Display(s.ctx, "fleet", "status"); err != nil || !strings.Contains(pending, "1 invited") {
		t.Errorf("who else was invited is not any more: %s, %v", pending, err)
	}
}

// An agent's credentials let it publish what is its own, and neither speak for others nor listen to them.
func TestCredentialsReachNoFurther(t *testing.T) {
	s, broker := owned(t)
	s.startDisplay()
	line, err := s.Display(s.ctx, "fleet", "add", "web1")
	s.must(err)
	_, err = s.Agent(s.ctx, "join", strings.Fields(line)[3])
	s.must(err)
	refused := make(chan error, 10)
	conn, err := nats.Connect(s.setting("servers"), nats.UserCredentials(s.setting("credentials")), nats.RootCAs(s.setting("ca")),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }))
	if err != nil {
		t.Fatalf("%v\nbroker:\n%s", err, broker.Stderr)
	}
	defer conn.Close()
	for _, subject := range []string{"pialert.v1.events.DISPLAY.ANOTHER", "pialert.v1.beats.DISPLAY.ANOTHER", "pialert.v1.ticks.DISPLAY", "$JS.API.STREAM.PURGE.pialert", "$JS.API.STREAM.DELETE.pialert"} {
		s.must(conn.Publish(subject, []byte("forged")))
		wantRefused(s, refused, subject)
	}
	for _, subject := range []string{">", "pialert.v1.events.>"} {
		_, err := conn.SubscribeSync(subject)
		s.must(err)
		wantRefused(s, refused, subject)
	}
}

// A server answers a publish at whatever subject its sender names. An agent has no other one's events forgotten by that.
func TestNoAgentHasAnyForgotten(t *testing.T) {
	s, _ := owned(t)
	s.startDisplay()
	line, err := s.Display(s.ctx, "fleet", "add", "web1")
	s.must(err)
	_, err = s.Agent(s.ctx, "join", strings.Fields(line)[3])
	s.must(err)
	conn, err := nats.Connect(s.setting("servers"), nats.UserCredentials(s.setting("credentials")), nats.RootCAs(s.setting("ca")))
	s.must(err)
	defer conn.Close()
	display, agent := subjectIDs(s)
	owner, err := nats.Connect(s.setting("servers"), nats.UserCredentials(filepath.Join(s.Dir, "display", "fleet", "display.creds")),
		nats.RootCAs(s.setting("ca")), nats.CustomInboxPrefix("_INBOX."+display))
	s.must(err)
	defer owner.Close()
	js, err := jetstream.New(owner)
	s.must(err)
	var stream jetstream.Stream
	s.must(program.Poll(s.ctx, func() (err error) { stream, err = js.Stream(s.ctx, "pialert"); return err }))
	s.must(s.display.Stop(s.ctx)) // nobody takes what is published
	for i, answer := range []string{"$JS.API.STREAM.PURGE.pialert", "$JS.API.STREAM.MSG.DELETE.pialert", "$JS.API.STREAM.DELETE.pialert", "$JS.API.CONSUMER.DELETE.pialert.display-" + display} {
		s.must(conn.PublishMsg(&nats.Msg{Subject: "pialert.v1.events." + display + "." + agent, Reply: answer, Data: []byte("mine")}))
		s.must(conn.Flush())
		s.must(program.Poll(s.ctx, func() error { // what is asked for comes behind the message that asks
			info, err := stream.Info(s.ctx)
			if err == nil && (info.State.LastSeq != uint64(i+1) || info.State.Consumers != 1) {
				err = fmt.Errorf("the stream is as %+v", info.State)
			}
			return err
		}))
		if info, err := stream.Info(s.ctx); err != nil || info.State.Msgs != uint64(i+1) {
			t.Errorf("an answer to %s: the stream keeps %d of %d messages, %v", answer, info.State.Msgs, i+1, err)
		}
	}
}

// subjectIDs are what subjects call the display and its agent: by the display's key and the agent's credentials.
func subjectIDs(s *stage) (display, agent string) {
	s.t.Helper()
	peers, err := s.Display(s.ctx, "peers")
	s.must(err)
	display = regexp.MustCompile(`SHA256:([^.\s]+)`).FindStringSubmatch(peers)[1]
	credentials, err := os.ReadFile(s.setting("credentials"))
	s.must(err)
	key, err := nkeys.ParseDecoratedUserNKey(credentials)
	s.must(err)
	agent, err = key.PublicKey()
	s.must(err)
	return strings.NewReplacer("+", "-", "/", "_").Replace(display), agent
}

// setting is what join wrote into the agent's configuration.
func (s *stage) setting(key string) string {
	s.t.Helper()
	text, err := os.ReadFile(s.AgentConfig)
	s.must(err)
	found := regexp.MustCompile(key + `: [\["]*([^",\]\s]+)`).FindStringSubmatch(string(text))
	if found == nil {
		s.t.Fatalf("join wrote no %s:\n%s", key, text)
	}
	return found[1]
}

func wantRefused(s *stage, refused <-chan error, subject string) {
	s.t.Helper()
	select {
	case err := <-refused:
		if !errors.Is(err, nats.ErrPermissionViolation) {
			s.t.Errorf("%s: %v", subject, err)
		}
	case <-time.After(20 * time.Second):
		s.t.Errorf("%s is open to an agent", subject)
	}
}
