package main

import (
	"context"
	"slices"
	"time"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/display/internal/lamp"
	"github.com/pialert/pialert/display/internal/receive"
	"github.com/pialert/pialert/pkg/link"
)

// AgentStatus is what is known of one agent.
type AgentStatus struct {
	Name      string      `json:"name"`
	Connected bool        `json:"connected"`
	Lost      bool        `json:"lost"`             // silent for longer than the configured time
	Former    bool        `json:"former,omitempty"` // no longer paired: what it counted stays
	Heard     time.Time   `json:"last_heard,omitzero"`
	Version   string      `json:"version,omitempty"`
	Total     uint64      `json:"total"` // attempts
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
	links := map[string]link.State{}
	for _, state := range d.states() {
		if former := links[state.Peer]; !former.Up {
			links[state.Peer] = state
		}
	}
	streams := map[string]receive.Status{}
	for _, stream := range d.receiver.Status() {
		streams[stream.Agent] = stream
	}
	patience := time.Duration(d.configuration().Lost)
	var agents []AgentStatus
	for _, peer := range d.keyring.Peers() {
		stream := streams[peer.Name]
		agent := AgentStatus{
			Name: peer.Name, Connected: stream.Connected, Version: stream.Version, Error: stream.LastError,
			Heard: known[peer.Name].Heard, Dropped: known[peer.Name].Dropped, Link: links[peer.Name],
		}
		since := d.started // it had no chance to be heard before
		if peer.Paired.After(since) {
			since = peer.Paired
		}
		if !stream.LastHeard.IsZero() {
			agent.Heard, since = stream.LastHeard, stream.LastHeard
		}
		agent.Lost = now.Sub(since) > patience
		agents = append(agents, agent)
	}
	return agents
}

// withTotals adds what the agents counted, and those that are no longer paired but counted.
func withTotals(agents []AgentStatus, tallies []lamp.Tally) []AgentStatus {
	for _, tally := range tallies {
		if !tally.Kind.Attempt() {
			continue
		}
		i := slices.IndexFunc(agents, func(a AgentStatus) bool { return a.Name == tally.Agent })
		if i < 0 {
			i = len(agents)
			agents = append(agents, AgentStatus{Name: tally.Agent, Former: true})
		}
		agents[i].Total += tally.Count
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
