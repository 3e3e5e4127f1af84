package program

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Process is a running program.
type Process struct {
	Stdout, Stderr *Output

	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended
}

// Start starts a command. It keeps what the command writes, unless cmd.Stdout is set.
func Start(cmd *exec.Cmd) (*Process, error) {
	p := &Process{Stdout: new(Output), Stderr: new(Output), cmd: cmd, ended: make(chan struct{})}
	cmd.Stderr = p.Stderr
	if cmd.Stdout == nil {
		cmd.Stdout = p.Stdout
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", cmd.Path, err)
	}
	go func() {
		cmd.Wait() // what it returns, ProcessState tells too
		close(p.ended)
		p.Stdout.Write(nil) // wakes those who wait for more
		p.Stderr.Write(nil)
	}()
	return p, nil
}

// Kill ends the process with SIGKILL and returns when it is gone.
func (p *Process) Kill() {
	p.cmd.Process.Kill() // fails only if it is gone
	<-p.ended
}

// Signal sends a signal.
func (p *Process) Signal(signal syscall.Signal) error { return p.cmd.Process.Signal(signal) }

// Stop ends the process with SIGTERM. The error says so if it then does not end, or not with
// exit code 0.
func (p *Process) Stop(ctx context.Context) error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("cannot stop %s: %w\n%s", p, err, p.Stderr)
	}
	if code, err := p.Wait(ctx); err != nil {
		p.Kill()
		return fmt.Errorf("cannot stop %s: %w\n%s", p, err, p.Stderr)
	} else if code != 0 {
		return fmt.Errorf("%s ended with exit code %d\n%s", p, code, p.Stderr)
	}
	return nil
}

// Wait returns the exit code, or -1 if a signal ended the process, once it has ended.
func (p *Process) Wait(ctx context.Context) (code int, err error) {
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("%s still runs: %w", p, ctx.Err())
	}
}

// Ended says whether the process has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// Pid returns the process's id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

func (p *Process) String() string {
	return strings.Join(append([]string{filepath.Base(p.cmd.Path)}, p.cmd.Args[1:]...), " ")
}

// Run runs a command to its end and returns what it wrote to standard output. The error holds
// what it wrote to standard error.
func Run(ctx context.Context, cmd *exec.Cmd) (string, error) {
	p, err := Start(cmd)
	if err != nil {
		return "", err
	}
	code, err := p.Wait(ctx)
	if err != nil {
		p.Kill()
		return "", fmt.Errorf("%w\n%s", err, p.Stderr)
	}
	if code != 0 {
		return p.Stdout.String(), fmt.Errorf("%s ended with exit code %d\n%s", p, code, p.Stderr)
	}
	return p.Stdout.String(), nil
}
