package history

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/pialert/pialert/pkg/attack"
)

// Correct stores a correction and returns when it is committed. No total becomes less than nothing,
// and a total that was never counted cannot be corrected.
func (h *History) Correct(ctx context.Context, c Correction) error {
	switch {
	case strings.TrimSpace(c.Reason) == "" || len(c.Reason) > maxReason:
		return fmt.Errorf("cannot correct a total: give a reason of at most %d bytes", maxReason)
	case c.By == 0 || c.By > maxBy || c.By < -maxBy:
		return fmt.Errorf("cannot correct a total by %d", c.By)
	}
	h.mu.Lock()
	total, ok := h.known.totals[totalKey{c.Agent, c.Kind, false}]
	h.mu.Unlock()
	switch {
	case !ok:
		return fmt.Errorf("cannot correct a total: nothing was counted of %s from %q", c.Kind, c.Agent)
	case c.By < 0 && uint64(-c.By) > total.Attempts:
		return fmt.Errorf("cannot correct a total by %d: %d were counted of %s from %q", c.By, total.Attempts, c.Kind, c.Agent)
	}
	if c.Host != "" {
		if err := h.checkHost(ctx, &c); err != nil {
			return err
		}
	}
	done := make(chan error, 1)
	err := h.enqueue(ctx, batch{agent: c.Agent, correction: &c}, func(_ uint64, err error) { done <- err })
	if err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// checkHost refuses to correct what was not counted of a machine.
func (h *History) checkHost(ctx context.Context, c *Correction) error {
	all, err := h.Named(ctx)
	if err != nil {
		return err
	}
	for _, one := range all {
		if one.Agent == c.Agent && one.Kind == c.Kind && one.Host == c.Host {
			if c.By < 0 && uint64(-c.By) > one.Attempts {
				return fmt.Errorf("cannot correct a total by %d: %d were counted of %s on %q", c.By, one.Attempts, c.Kind, c.Host)
			}
			return nil
		}
	}
	return fmt.Errorf("cannot correct a total: nothing was counted of %s on %q from %q", c.Kind, c.Host, c.Agent)
}

// correct writes a correction.
func (c *change) correct(p *pending) error {
	k := p.correction
	to := totalKey{k.Agent, k.Kind, false}
	agent, ok := c.next.agents[k.Agent]
	total, counted := c.next.totals[to]
	if !ok || !counted {
		return nil // forgotten meanwhile
	}
	by := max(k.By, -int64(total.Attempts))
	total.Attempts = min(uint64(int64(total.Attempts)+by), maxSum)
	c.next.totals[to] = total
	c.next.last++
	detail := append(binary.AppendVarint([]byte{correctionDetail}, by), k.Reason...)
	if err := c.store.exec(`INSERT INTO events (id, agent, epoch, sequence, arrived, observed, kind, severity, test, count, rule, detail, machine)
		VALUES (?,?,0,0,?,?,?,?,0,0,?,?,?)`, c.next.last, agent.id, p.arrived.UnixNano(), p.arrived.UnixNano(),
		int64(k.Kind), int64(attack.Info), []byte(correctionRule), detail, text(k.Host)); err != nil {
		return err
	}
	if err := c.store.addTotal(dayKey{dayOf(p.arrived), to}, agent.id, 0, by); err != nil {
		return err
	}
	c.rolled.begin(p.arrived, 0)
	c.rolled.lists.set(group{agent.id, int64(k.Kind)})
	c.rolled.lists.machine(k.Host, Sum{Attempts: uint64(by)})
	if k.Host == "" {
		return nil
	}
	return c.store.addNamed(startOf(p.arrived, hour), agent.id, named{kind: k.Kind, host: k.Host}, by)
}
