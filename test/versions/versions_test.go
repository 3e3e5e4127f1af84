// Package versions runs programs of unlike versions against each other: those of earlier commits,
// built from the repository's history, and those of this one.
package versions

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/pialert/pialert/packaging/demo/program"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/test/suite"
)

// former is the commit whose programs are built: the last whose events said nothing of families, hosts
// and the kinds above 21, with spools and histories of the first form.
const former = "a83c563ae85cf1c7ab0c20fe38a6d44a06230ec8"

// brokered is the first commit whose programs come together at a broker.
const brokered = "a1f1ece9ca9b1a3fc3882e7456c8e169fe59a870"

// timeout is how long a test waits for what must happen before it fails.
const timeout = 2 * time.Minute

var before, atBroker, previous, now program.Binaries

func TestMain(m *testing.M) {
	suite.Main(m, func(s *suite.Suite) error { return build(s.Dir) })
}

// build builds all versions' programs below dir.
func build(dir string) (err error) {
	if before, err = buildFormer(filepath.Join(dir, "before"), former); err != nil {
		return err
	}
	if atBroker, err = buildFormer(filepath.Join(dir, "broker"), brokered); err != nil {
		return err
	}
	parent, err := parent()
	if err != nil {
		return err
	}
	if previous, err = buildFormer(filepath.Join(dir, "previous"), parent); err != nil {
		return err
	}
	folder := filepath.Join(dir, "now")
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	now, err = program.Build(context.Background(), "../..", folder)
	return err
}

// parent returns the commit before this one, which a shallow clone knows of, too.
func parent() (string, error) {
	commit, err := exec.Command("git", "-C", "../..", "cat-file", "-p", "HEAD").Output()
	if err != nil {
		return "", fmt.Errorf("cannot read this commit: %w", err)
	}
	for line := range strings.Lines(string(commit)) {
		if parent, ok := strings.CutPrefix(line, "parent "); ok {
			return strings.TrimSpace(parent), nil
		}
	}
	return "", errors.New("this commit has none before it")
}

// buildFormer builds a commit's programs below dir, which it makes.
func buildFormer(dir, commit string) (none program.Binaries, err error) {
	tree := filepath.Join(dir, "tree")
	if err := os.MkdirAll(tree, 0o755); err != nil {
		return none, err
	}
	if err := fetch(commit); err != nil {
		return none, err
	}
	archive := exec.Command("git", "-C", "../..", "archive", commit)
	unpack := exec.Command("tar", "-x", "-C", tree)
	var complaint bytes.Buffer
	archive.Stderr, unpack.Stderr = &complaint, &complaint
	if unpack.Stdin, err = archive.StdoutPipe(); err != nil {
		return none, err
	}
	if err := unpack.Start(); err != nil {
		return none, err
	}
	if err := archive.Run(); err != nil {
		return none, fmt.Errorf("cannot get the commit %s: %w: %s", commit, err, &complaint)
	}
	if err := unpack.Wait(); err != nil {
		return none, fmt.Errorf("cannot unpack the commit %s: %w: %s", commit, err, &complaint)
	}
	return program.Build(context.Background(), tree, dir)
}

// fetch makes sure that a commit is here: a shallow clone, as CI makes it, gets that one alone.
func fetch(commit string) error {
	if exec.Command("git", "-C", "../..", "cat-file", "-e", commit+"^{tree}").Run() == nil {
		return nil
	}
	out, err := exec.Command("git", "-C", "../..", "fetch", "--quiet", "--depth=1", "origin", commit).CombinedOutput()
	if err != nil {
		return fmt.Errorf("cannot fetch the commit %s, which a shallow clone lacks: %w: %s; try: git fetch --unshallow", commit, err, out)
	}
	return nil
}

// stage is an agent and a display, of either version at a time.
type stage struct {
	t              *testing.T
	ctx            context.Context
	dir, listen    string
	dial, broker   string // who opens the connection, and where the broker is, if there is one
	pair           *program.Pair
	agent, display *program.Process
}

// stages is how many there were.
var stages atomic.Int32

func newStage(t *testing.T) *stage {
	t.Helper()
	dir, err := os.MkdirTemp("", "versions") // t.TempDir's paths are too long for Unix sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	free, err := net.Listen("tcp", fmt.Sprintf("127.0.1.%d:0", stages.Add(1))) // which no other stage takes once it is closed
	if err != nil {
		t.Fatal(err)
	}
	defer free.Close()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	t.Cleanup(cancel)
	return &stage{t: t, ctx: ctx, dir: dir, listen: free.Addr().String()}
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// use has the next programs be those of a version each.
func (s *stage) use(agent, display program.Binaries) {
	s.t.Helper()
	settings := program.Settings{
		Listen: s.listen, Logs: []string{"{path: " + s.log() + "}"}, Dial: s.dial, AgentNATS: s.broker, DisplayNATS: s.broker,
	}
	if s.dial == "ssh" {
		settings.Address = "ssh://user@server"
	}
	pair, err := program.LayOut(s.dir, program.Binaries{Agent: agent.Agent, Display: display.Display}, settings)
	s.must(err)
	if s.dial == "ssh" {
		s.login(pair, agent)
	}
	text, err := os.ReadFile(pair.DisplayConfig)
	s.must(err)
	if display == before { // which knows no page
		known := strings.Replace(string(text), "web: {listen: \"\"}\n", "", 1)
		s.must(os.WriteFile(pair.DisplayConfig, []byte(known), 0o640))
	}
	s.pair = pair
}

// login has ssh be a login at the server that ends at the agent's relay, as the line in authorized_keys has it.
func (s *stage) login(pair *program.Pair, agent program.Binaries) {
	s.t.Helper()
	folder := filepath.Join(s.dir, "bin")
	s.must(os.MkdirAll(folder, 0o755))
	s.must(os.WriteFile(filepath.Join(folder, "ssh"), fmt.Appendf(nil, "#!/bin/sh\nexec %s relay --config %s\n", agent.Agent, pair.AgentConfig), 0o755))
	pair.Command = func(name string, args ...string) *exec.Cmd {
		command := exec.Command(name, args...)
		command.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"))
		return command
	}
}

func (s *stage) startAgent() {
	s.t.Helper()
	agent, err := s.pair.StartAgent()
	s.must(err)
	s.agent = agent
	s.watch(agent)
}

func (s *stage) startDisplay() {
	s.t.Helper()
	display, err := s.pair.StartDisplay()
	s.must(err)
	s.display = display
	s.watch(display)
}

func (s *stage) watch(p *program.Process) {
	s.t.Cleanup(func() {
		p.Kill()
		if s.t.Failed() {
			s.t.Logf("%s wrote:\n%s", p, p.Stderr)
		}
	})
}

func (s *stage) log() string { return filepath.Join(s.dir, "auth.log") }

// attack writes n failed logins to the followed log.
func (s *stage) attack(n int) {
	s.t.Helper()
	log, err := os.OpenFile(s.log(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	s.must(err)
	stamp := time.Now().Format(time.Stamp)
	for i := range n {
		fmt.Fprintf(log, "%s vps sshd[%d]: Failed password for root from 203.0.113.7 port %d ssh2\n", stamp, 1000+i, 40000+i)
	}
	s.must(log.Close())
}

// found waits until the agent has read n attacks since it started.
func (s *stage) found(n uint64) {
	s.t.Helper()
	s.must(program.Poll(s.ctx, func() error {
		status, err := s.pair.AgentStatus(s.ctx)
		if err == nil && status.Found() != n {
			err = fmt.Errorf("the agent found %d attacks, want %d", status.Found(), n)
		}
		return err
	}))
}

// counted waits until the display counts n failed logins, and fails as soon as it counts more.
func (s *stage) counted(n uint64) {
	s.t.Helper()
	s.must(program.Poll(s.ctx, func() error {
		status, err := s.pair.DisplayStatus(s.ctx)
		if err != nil {
			return err
		}
		got := status.Kinds[attack.SSHLogin]
		if got > n {
			s.t.Fatalf("the display counts %d, %d were attempted", got, n)
		}
		if got != n {
			return fmt.Errorf("the display counts %d, want %d", got, n)
		}
		return nil
	}))
}

// TestUnlikeVersions pairs an older program with a newer one, both ways: what is attempted is counted,
// and links come back by themselves.
func TestUnlikeVersions(t *testing.T) {
	t.Parallel()
	for name, versions := range map[string]struct {
		agent, display program.Binaries
		dial           string
	}{
		"an older agent":                     {before, now, "display"},
		"an older display":                   {now, before, "display"},
		"an older agent, which dials":        {before, now, "agent"},
		"an older display, which is dialled": {now, before, "agent"},
		"an older agent, by SSH":             {before, now, "ssh"},
		"an older display, by SSH":           {now, before, "ssh"},
		"an older agent, through a broker":   {atBroker, now, "nats"},
		"an older display, through a broker": {now, atBroker, "nats"},

		"the previous agent":                     {previous, now, "display"},
		"the previous display":                   {now, previous, "display"},
		"the previous agent, which dials":        {previous, now, "agent"},
		"the previous display, which is dialled": {now, previous, "agent"},
		"the previous agent, by SSH":             {previous, now, "ssh"},
		"the previous display, by SSH":           {now, previous, "ssh"},
		"the previous agent, through a broker":   {previous, now, "nats"},
		"the previous display, through a broker": {now, previous, "nats"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			if s.dial = versions.dial; s.dial == "nats" {
				s.broker = fmt.Sprintf("{servers: [%q]}", startBroker(t))
			}
			s.attack(0)
			s.use(versions.agent, versions.display)
			s.startAgent()
			s.startDisplay()
			s.must(s.pair.Join(s.ctx))
			s.attack(30)
			s.counted(30)
			s.must(s.display.Stop(s.ctx))
			s.attack(20)
			s.found(50)
			s.startDisplay()
			s.counted(50)
			s.attack(1)
			s.counted(51)
		})
	}
}

// startBroker starts a broker in this process, which lets everybody in, and returns its address.
func startBroker(t *testing.T) string {
	t.Helper()
	broker, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	broker.Start()
	t.Cleanup(func() { broker.Shutdown(); broker.WaitForShutdown() })
	return broker.ClientURL()
}

// TestUpgrade has the newer programs go on where the older ones stopped: with a spool whose events were
// not delivered, positions, a history and peers of the older form.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.attack(0)
	s.use(before, before)
	s.startAgent()
	s.startDisplay()
	s.must(s.pair.Join(s.ctx))
	s.attack(30)
	s.counted(30)
	s.must(s.display.Stop(s.ctx))
	s.attack(20)
	s.found(50)
	s.must(s.agent.Stop(s.ctx))
	s.attack(7) // while nothing runs
	s.use(now, now)
	s.startAgent()
	s.found(7)
	// That nobody but root may report is of this machine, which has no group for it, not of what was left.
	for line := range strings.Lines(s.agent.Stderr.String()) {
		if (strings.Contains(line, "level=WARN") || strings.Contains(line, "level=ERROR")) && !strings.Contains(line, "only root can report") {
			s.t.Errorf("the newer agent complains of what the older one left: %s", line)
		}
	}
	s.startDisplay()
	s.counted(57)
	if said := s.display.Stderr.String(); strings.Contains(said, "level=WARN") || strings.Contains(said, "level=ERROR") {
		s.t.Errorf("the newer display complains of what the older one left:\n%s", said)
	}
	s.attack(1)
	s.counted(58)
}
