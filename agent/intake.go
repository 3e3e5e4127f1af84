package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"slices"
	"time"

	"github.com/pialert/pialert/agent/internal/intake"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/config"
)

// newIntake makes the server, nil if there is to be none.
func (d *daemon) newIntake() (*intake.Server, error) {
	c := d.cfg.Intake
	if c.Listen == "" {
		return nil, nil
	}
	s := &intake.Server{Paths: map[string]intake.Path{}, Counters: c.Counters, Sink: sink{d}, Now: time.Now}
	var err error
	if s.From, err = networks("intake.from", c.From); err != nil {
		return nil, err
	}
	for i, token := range c.Tokens {
		secret, err := config.SecretFrom(token.Token, token.TokenFile)
		if err == nil && len(secret.Reveal()) < minToken {
			err = fmt.Errorf("it has less than %d characters", minToken)
		}
		if err != nil {
			return nil, fmt.Errorf("intake.tokens[%d]: %w", i, err)
		}
		one := intake.Token{Name: token.Name, Value: secret.Reveal(), Host: token.Host}
		for _, name := range token.Kinds {
			kind, _ := attack.ParseKind(name) // it was checked
			one.Kinds = append(one.Kinds, kind)
		}
		s.Tokens = append(s.Tokens, one)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Paths)) {
		kind, _ := attack.ParseKind(c.Paths[name].Kind)
		s.Paths[name] = intake.Path{Kind: kind, Host: c.Paths[name].Host}
	}
	return s, nil
}

// listenIntake opens the port of the intake.
func (d *daemon) listenIntake(ctx context.Context) (net.Listener, error) {
	c := d.cfg.Intake
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("cannot serve intake.listen %s: %w", c.Listen, err)
	}
	if c.Certificate == "" {
		return listener, nil
	}
	encrypt, err := c.serving().Config()
	if err != nil {
		listener.Close()
		return nil, fmt.Errorf("intake: %w", err)
	}
	return tls.NewListener(listener, encrypt), nil
}

// sink is where the intake's events go.
type sink struct{ d *daemon }

// Commit implements [intake.Sink].
func (s sink) Commit(ctx context.Context, do func(m *intake.Memory, add func(*attack.Event))) error {
	return s.d.commit(ctx, func(run *detection, add func(*attack.Event)) { do(run.reports, add) })
}

// Note implements [intake.Sink]. Attempts from addresses that are ignored are no attempts.
func (s sink) Note(e *attack.Event) {
	if run := s.d.current(); !run.ignored.Contains(e.SourceIP) {
		_ = run.pipeline.Add(e) // a reload may lose what nobody waits for
	}
}
