package program

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Names that the two ends go by.
const (
	AgentName   = "vps"
	DisplayName = "desk"
)

// Settings says what a pair's configurations say beside paths and addresses.
type Settings struct {
	// Name is the agent's, [AgentName] if it is empty.
	Name string
	// Dial is who opens the connection, "display" if it is empty.
	Dial string
	// Logs is the agent's list of logs, as YAML flow mappings such as "{path: /var/log/auth.log}".
	Logs []string
	// Driver is what the display draws with, "none" if it is empty.
	Driver string
	// Page has the display serve its page, at a free address of loopback.
	Page bool
	// Agent and Display are more top-level keys of either configuration.
	Agent, Display string
	// AgentMetrics and DisplayMetrics are where either serves metrics; nowhere if they are empty.
	AgentMetrics, DisplayMetrics string
	// AgentNATS and DisplayNATS are link.nats of either, as YAML flow mappings, for Dial "nats".
	AgentNATS, DisplayNATS string
	// Listen is the address to listen on, a free one of loopback if it is empty.
	Listen string
	// Address is what is put into the token for the other end to dial, Listen if it is empty.
	Address string
}

// Pair is an agent and a display with a folder of their own.
type Pair struct {
	Dir                        string
	AgentConfig, DisplayConfig string // paths of the configuration files
	Listen                     string // address that one of the two listens on
	Page                       string // address of the display's page, such as http://127.0.0.1:9480; empty without
	// Command makes the command of a program that is started; it is [exec.Command] at first.
	Command func(path string, args ...string) *exec.Cmd

	programs Binaries
	dial     string
}

// LayOut writes the configurations of a pair into dir, which must exist and, since paths of
// Unix sockets are short, should not be deep.
func LayOut(dir string, programs Binaries, s Settings) (*Pair, error) {
	if s.Listen == "" {
		free, err := freeAddress()
		if err != nil {
			return nil, err
		}
		s.Listen = free
	}
	if s.Dial == "" {
		s.Dial = "display"
	}
	if s.Driver == "" {
		s.Driver = "none"
	}
	if s.Address == "" {
		s.Address = s.Listen
	}
	p := &Pair{
		Dir: dir, Listen: s.Listen, Command: exec.Command, programs: programs, dial: s.Dial,
		AgentConfig: filepath.Join(dir, "agent.yaml"), DisplayConfig: filepath.Join(dir, "display.yaml"),
	}
	web := ""
	if s.Page {
		free, err := freeAddress()
		if err != nil {
			return nil, err
		}
		web, p.Page = free, "http://"+free
	}
	link := fmt.Sprintf("link: {dial: %s, listen: %q, address: %q", s.Dial, s.Listen, s.Address)
	if s.Name == "" {
		s.Name = AgentName
	}
	agentLink := link
	if s.AgentNATS != "" {
		agentLink += ", nats: " + s.AgentNATS
	}
	if s.DisplayNATS != "" {
		link += ", nats: " + s.DisplayNATS
	}
	agent := agentConfig(s.Name, dir, "agent", s.AgentMetrics, agentLink, s.Logs)
	display := fmt.Sprintf("name: %[1]s\nstate: %[2]s/display\ncontrol: %[2]s/display.sock\nmetrics: %[6]q\nweb: {listen: %[3]q}\ndriver: %[4]s\n%[5]s}\n",
		DisplayName, dir, web, s.Driver, link, s.DisplayMetrics)
	if err := os.WriteFile(p.AgentConfig, []byte(agent+s.Agent), 0o644); err != nil {
		return nil, err
	}
	return p, os.WriteFile(p.DisplayConfig, []byte(display+s.Display), 0o644)
}

// freeAddress returns a loopback address with a port that nobody listened on just now.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("cannot find a free port: %w", err)
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// Second writes the configuration of one more agent of a name, which follows logs, and returns a
// pair of it and the same display.
func (p *Pair) Second(name string, logs []string) (*Pair, error) {
	listen, err := freeAddress()
	if err != nil {
		return nil, err
	}
	second := *p
	second.Listen, second.AgentConfig = listen, filepath.Join(p.Dir, name+".yaml")
	return &second, os.WriteFile(second.AgentConfig, []byte(agentConfig(name, p.Dir, name, "",
		fmt.Sprintf("link: {dial: %s, listen: %q, address: %[2]q", p.dial, listen), logs)), 0o644)
}

// agentConfig is the configuration of an agent with its state in a folder of dir.
func agentConfig(name, dir, state, metrics, link string, logs []string) string {
	text := fmt.Sprintf("name: %[1]s\nstate: %[2]s/%[3]s\ncontrol: %[2]s/%[3]s/control.sock\nmetrics: %[5]q\nrules: %[2]s/rules.d\n%[4]s, relay: %[2]s/%[3]s-relay.sock}\nlogs:\n",
		name, dir, state, link, metrics)
	for _, log := range logs {
		text += "  - " + log + "\n"
	}
	return text
}

// StartAgent starts the agent.
func (p *Pair) StartAgent(args ...string) (*Process, error) {
	return Start(p.Command(p.programs.Agent, append([]string{"run", "--config", p.AgentConfig}, args...)...))
}

// StartDisplay starts the display.
func (p *Pair) StartDisplay(args ...string) (*Process, error) {
	return Start(p.Command(p.programs.Display, append([]string{"run", "--config", p.DisplayConfig}, args...)...))
}

// Agent runs a command of the agent to its end and returns its output.
func (p *Pair) Agent(ctx context.Context, command ...string) (string, error) {
	return Run(ctx, p.Command(p.programs.Agent, append(command, "--config", p.AgentConfig)...))
}

// Display runs a command of the display to its end and returns its output.
func (p *Pair) Display(ctx context.Context, command ...string) (string, error) {
	return Run(ctx, p.Command(p.programs.Display, append(command, "--config", p.DisplayConfig)...))
}

// Join pairs the two, which both run: the side that listens prints a line with a token and
// waits, the other redeems the token.
func (p *Pair) Join(ctx context.Context) error {
	if err := p.Up(ctx); err != nil {
		return err
	}
	listener, config, dialler := p.programs.Agent, p.AgentConfig, p.Display
	if p.dial == "agent" || p.dial == "nats" {
		listener, config, dialler = p.programs.Display, p.DisplayConfig, p.Agent
	}
	pair, err := Start(p.Command(listener, "pair", "--config", config))
	if err != nil {
		return err
	}
	defer pair.Kill()
	if err := pair.Stdout.Await(ctx, func(text string) bool { return strings.HasSuffix(text, "\n") || pair.Ended() }); err != nil {
		return fmt.Errorf("pair printed no token: %w\n%s", err, pair.Stderr)
	}
	words := strings.Fields(pair.Stdout.String())
	if len(words) == 0 {
		return fmt.Errorf("pair printed no token:\n%s", pair.Stderr)
	}
	if _, err := dialler(ctx, "join", words[len(words)-1]); err != nil {
		return err
	}
	if code, err := pair.Wait(ctx); err != nil || code != 0 {
		return fmt.Errorf("pair ended with %d, %v:\n%s", code, err, pair.Stderr)
	}
	return nil
}

// Up returns once both programs answer on their control sockets.
func (p *Pair) Up(ctx context.Context) error {
	return Poll(ctx, func() error {
		if _, err := p.AgentStatus(ctx); err != nil {
			return err
		}
		_, err := p.DisplayStatus(ctx)
		return err
	})
}

// Poll calls try now and then until it succeeds. When the context ends it returns the last error
// from before that.
func Poll(ctx context.Context, try func() error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		err := try()
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("gave up: %w", last)
		}
	}
}

// DisplayStatus asks the running display for its status.
func (p *Pair) DisplayStatus(ctx context.Context) (DisplayStatus, error) {
	var s DisplayStatus
	said, err := p.Display(ctx, "status", "--format", "json")
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal([]byte(said), &s)
}

// AgentStatus asks the running agent for its status.
func (p *Pair) AgentStatus(ctx context.Context) (AgentStatus, error) {
	var s AgentStatus
	said, err := p.Agent(ctx, "status", "--format", "json")
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal([]byte(said), &s)
}
