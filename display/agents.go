package main

import (
	"context"
	"time"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/display/internal/lamp"
	"github.com/pialert/pialert/pkg/link"
)

// AgentStatus is what is known of one paired agent.
type AgentStatus struct {
	Name      string      `json:"name"`
	Connected bool        `json:"connected"`
	Lost      bool        `json:"lost"` // silent for longer than the configured time
	Heard     time.Time   `json:"last_heard,omitzero"`
	Version   string      `json:"version,omitempty"`
	Total     history.Sum `json:"total"` // attempts only: no tests, bans, floods and visits
	Dropped   history.Sum `json:"dropped"`
	Link      link.State  `json:"link"`
	Error     string      `json:"error,omitempty"` // why it was cut off last
}

// agents returns the paired agents, by name.
func (d *daemon) agents(now time.Time) []AgentStatus {
	known := map[string]history.Agent{}
	for _, agent := range d.history.Agents() {
		known[agent.Name] = agent
	}
	sums := map[string]history.Sum{}
	totals, _ := d.history.Totals(context.Background())
	for _, total := range totals {
		if total.Kind.Attempt() && !total.Test {
			sum := sums[total.Agent]
			sum.Events += total.Events
			sum.Attempts += total.Attempts
			sums[total.Agent] = sum
		}
	}
	links := map[string]link.State{}
	for _, state := range d.states() {
		if former := links[state.Peer]; !former.Up {
			links[state.Peer] = state
		}
	}
	live := d.receiver.Status()
	var agents []AgentStatus
	for _, peer := range d.keyring.Peers() {
		agent := AgentStatus{
			Name: peer.Name, Heard: known[peer.Name].Heard, Total: sums[peer.Name], Dropped: known[peer.Name].Dropped,
			Link: links[peer.Name],
		}
		for _, now := range live {
			if now.Agent == peer.Name {
				agent.Connected, agent.Version, agent.Error = now.Connected, now.Version, now.LastError
				if now.LastHeard.After(agent.Heard) {
					agent.Heard = now.LastHeard
				}
			}
		}
		since := agent.Heard
		if since.IsZero() || since.Before(d.started) {
			since = d.started // it had no chance to be heard before
		}
		agent.Lost = now.Sub(since) > time.Duration(d.configuration().Lost)
		agents = append(agents, agent)
	}
	return agents
}

// agentTick is how often it is looked whether agents are heard.
const agentTick = time.Second

// watchAgents lets the lamps of silent agents breathe, and everything wait while no agent is
// connected.
func (d *daemon) watchAgents(ctx context.Context) error {
	tick := time.NewTicker(agentTick)
	defer tick.Stop()
	var lost [lamp.Max]bool
	waiting := false
	for {
		d.nameFirst()
		var silent [lamp.Max]bool
		nobody := true
		for _, agent := range d.agents(time.Now()) {
			if i := d.screen.lamps.OfAgent(agent.Name); agent.Lost && i >= 0 {
				silent[i] = true
			}
			nobody = nobody && !agent.Connected && agent.Heard.Before(d.started)
		}
		// The panel is only woken by what changed: it sleeps when nothing moves.
		for i := range silent {
			if silent[i] != lost[i] {
				d.screen.panel.SetLost(i, silent[i])
			}
		}
		if nobody != waiting {
			d.screen.panel.SetWaiting(nobody)
		}
		lost, waiting = silent, nobody
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
