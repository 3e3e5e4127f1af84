package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/pialert/pialert/packaging/demo/program"
	"github.com/pialert/pialert/pkg/control"
)

// Sizes of what is delivered.
const (
	spooled  = 300_000 // events that wait for the display, in each round
	rounds   = 3
	backlog  = 1_000_000 // lines written while the agent was down
	perLogin = 4         // lines that sshd writes about one wrong password
)

// pair is a running agent and display.
type pair struct {
	*program.Pair
	log            string
	agent, display *program.Process
}

// startPair starts both programs, joined, on a log that does not exist yet.
func (b *bench) startPair(ctx context.Context) (*pair, error) {
	return b.startPairWith(ctx, program.Settings{})
}

// startPairWith does so with more settings.
func (b *bench) startPairWith(ctx context.Context, s program.Settings) (*pair, error) {
	dir, err := os.MkdirTemp(b.dir, "pair")
	if err != nil {
		return nil, err
	}
	p := &pair{log: filepath.Join(dir, "auth.log")}
	s.Logs = []string{fmt.Sprintf("{path: %q, start: beginning}", p.log)}
	p.Pair, err = program.LayOut(dir, b.programs, s)
	if err != nil {
		return nil, err
	}
	if p.agent, err = p.StartAgent(); err != nil {
		return nil, err
	}
	if p.display, err = p.StartDisplay(); err != nil {
		p.agent.Kill()
		return nil, err
	}
	return p, errors.Join(p.Join(ctx))
}

func (p *pair) end() {
	p.agent.Kill()
	p.display.Kill()
}

// agentSays and displaySays ask over the control sockets, without the cost of starting a command.
func (p *pair) agentSays(ctx context.Context) (s program.AgentStatus, err error) {
	return s, control.Client{Path: filepath.Join(p.Dir, "agent", "control.sock")}.Call(ctx, "/status", nil, &s)
}

func (p *pair) displaySays(ctx context.Context) (s program.DisplayStatus, err error) {
	return s, control.Client{Path: filepath.Join(p.Dir, "display.sock")}.Call(ctx, "/status", nil, &s)
}

// delivery measures how fast events go from the spool through TLS into the committed history,
// and how long a backlog of lines takes from the log to there.
func (b *bench) delivery(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	p, err := b.startPair(ctx)
	if err != nil {
		return err
	}
	defer p.end()
	var drained, worked []time.Duration
	for round := range rounds {
		took, used, err := p.drain(ctx, 1+round*spooled)
		if err != nil {
			return err
		}
		drained, worked = append(drained, took), append(worked, used)
	}
	took := best(drained)
	row("spool → TLS → committed history, both programs, from the display's start", "100,000 events/s on two cores",
		"%s events/s (%s events in %.1f s, for which both used %.1f s of the cores)",
		thousands(int(spooled/took.Seconds())), thousands(spooled), took.Seconds(), best(worked).Seconds())

	took, err = p.catchUp(ctx, 1+rounds*spooled)
	if err != nil {
		return err
	}
	memory, err := resident(p.agent.Pid())
	if err != nil {
		return err
	}
	row(fmt.Sprintf("catching up on %s lines (%s attacks), from the agent's start to the display's totals", thousands(backlog), thousands(backlog/perLogin)),
		"", "%.1f s", took.Seconds())
	row("agent's memory under that load (largest resident set)", "", "%.1f MiB", float64(memory.most)/(1<<20))
	return nil
}

// drain fills the spool while the display is down, and returns how long after the display's start
// everything is committed, and the processor time that both programs used for it. Attacks are
// numbered from first on.
func (p *pair) drain(ctx context.Context, first int) (took, used time.Duration, err error) {
	if err := p.display.Stop(ctx); err != nil {
		return 0, 0, err
	}
	if err := writeLogins(p.log, first, spooled, 1); err != nil {
		return 0, 0, err
	}
	if err := program.Poll(ctx, func() error { return p.waits(ctx, spooled) }); err != nil {
		return 0, 0, err
	}
	before, err := processorTime(p.agent.Pid())
	if err != nil {
		return 0, 0, err
	}
	start := time.Now()
	if p.display, err = p.StartDisplay(); err != nil {
		return 0, 0, err
	}
	err = program.Poll(ctx, func() error { return p.waits(ctx, 0) })
	took = time.Since(start)
	agent, agentErr := processorTime(p.agent.Pid())
	display, displayErr := processorTime(p.display.Pid())
	return took, agent - before + display, errors.Join(err, agentErr, displayErr)
}

// waits returns an error unless so many events wait for the display.
func (p *pair) waits(ctx context.Context, want uint64) error {
	s, err := p.agentSays(ctx)
	if err == nil && s.Spool.Waiting != want {
		err = fmt.Errorf("%d events wait for the display, not %d", s.Spool.Waiting, want)
	}
	return err
}

// catchUp writes lines while the agent is down, and returns how long after its start the display
// has counted them. Attacks are numbered from first on.
func (p *pair) catchUp(ctx context.Context, first int) (took time.Duration, err error) {
	if err := p.agent.Stop(ctx); err != nil {
		return 0, err
	}
	if err := writeLogins(p.log, first, backlog/perLogin, perLogin); err != nil {
		return 0, err
	}
	want := uint64(first-1) + backlog/perLogin
	start := time.Now()
	if p.agent, err = p.StartAgent(); err != nil {
		return 0, err
	}
	err = program.Poll(ctx, func() error {
		s, err := p.displaySays(ctx)
		if err == nil && s.Total != want {
			err = fmt.Errorf("the display counts %d, not %d", s.Total, want)
		}
		return err
	})
	return time.Since(start), err
}

// writeLogins appends what sshd writes of wrong passwords, n of them for as many users, in one
// line or in all that there are.
func writeLogins(path string, first, n, lines int) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(file)
	stamp := time.Now().Format("2006-01-02T15:04:05.000000-07:00")
	for i := first; i < first+n; i++ {
		head := fmt.Sprintf("%s vps sshd[%d]: ", stamp, 1000+i%30000)
		source := fmt.Sprintf("203.0.113.%d", 1+i%250)
		port := 1024 + i%60000
		if lines > 1 {
			fmt.Fprintf(out, "%sInvalid user u%d from %s port %d\n", head, i, source, port)
			fmt.Fprintf(out, "%spam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=%s \n", head, source)
		}
		fmt.Fprintf(out, "%sFailed password for invalid user u%d from %s port %d ssh2\n", head, i, source, port)
		if lines > 1 {
			fmt.Fprintf(out, "%sConnection closed by invalid user u%d %s port %d [preauth]\n", head, i, source, port)
		}
	}
	return errors.Join(out.Flush(), file.Close())
}
