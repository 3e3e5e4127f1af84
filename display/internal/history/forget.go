package history

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/pialert/pialert/pkg/attack"
)

// ErrUnknownAgent is returned for an agent of which nothing is stored.
var ErrUnknownAgent = errors.New("the history knows no such agent")

// Forget takes an agent's totals, events and charts away, in one commit. What is left is a line among
// the events that says so, with the attempts that were counted, and the marks of its numbers: what it
// sends again is still not counted twice.
func (h *History) Forget(ctx context.Context, agent string) error {
	h.mu.Lock()
	_, ok := h.known.agents[agent]
	h.mu.Unlock()
	if !ok {
		return fmt.Errorf("cannot forget %q: %w", agent, ErrUnknownAgent)
	}
	done := make(chan error, 1)
	if err := h.enqueue(ctx, batch{agent: agent, forget: true}, func(_ uint64, err error) { done <- err }); err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// forgotten is the reason in the line that is left.
const forgotten = "everything of this agent was forgotten"

// forget deletes what is stored of an agent. What this transaction has collected of it is gone, too.
func (c *change) forget(p *pending) error {
	agent, ok := c.next.agents[p.agent]
	if !ok {
		return nil
	}
	attempts := int64(0)
	for at, sum := range c.next.totals {
		if at.agent != p.agent {
			continue
		}
		if at.kind.Attempt() && !at.test {
			attempts += int64(sum.Attempts)
		}
		delete(c.next.totals, at)
	}
	for at := range c.days {
		if at.agent == p.agent {
			delete(c.days, at)
		}
	}
	for at := range c.named {
		if at.agent == p.agent {
			delete(c.named, at)
		}
	}
	c.rolled.lists.forget(agent.id)
	delete(c.stored, agent.id)
	agent.dropped = Sum{}
	c.next.agents[p.agent], c.agents[p.agent] = agent, true
	for _, table := range []string{"events", "totals", "stored", "named"} {
		if err := c.store.exec(`DELETE FROM `+table+` WHERE agent = ?`, agent.id); err != nil {
			return err
		}
	}
	if err := c.store.forgetListsOf(agent.id); err != nil {
		return err
	}
	c.next.last++
	detail := append(binary.AppendVarint([]byte{correctionDetail}, -attempts), forgotten...)
	return c.store.exec(`INSERT INTO events (id, agent, epoch, sequence, arrived, observed, kind, severity, test, count, rule, detail)
		VALUES (?,?,0,0,?,?,?,?,0,0,?,?)`, c.next.last, agent.id, p.arrived.UnixNano(), p.arrived.UnixNano(),
		int64(attack.Fault), int64(attack.Info), []byte(correctionRule), detail)
}
