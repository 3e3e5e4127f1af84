package main

import (
	"cmp"
	"slices"
	"time"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/display/internal/lamp"
	"github.com/pialert/pialert/display/internal/presence"
	"github.com/pialert/pialert/display/internal/receive"
	"github.com/pialert/pialert/pkg/attack"
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
	streams, limit := d.streams(), time.Duration(d.configuration().Lost)
	var agents []AgentStatus
	for _, present := range d.present() {
		name, stream := present.Name, streams[present.Name]
		agent := AgentStatus{
			Name: name, Connected: present.Connected, Lost: presence.Lost(present, d.started, now, limit),
			Version: stream.Version, Error: stream.LastError,
			Heard: present.Heard, Dropped: known[name].Dropped, Link: links[name],
		}
		if agent.Heard.IsZero() {
			agent.Heard = known[name].Heard
		}
		agents = append(agents, agent)
	}
	return agents
}

// withTotals adds what the agents counted, and those that are no longer paired but counted.
func withTotals(agents []AgentStatus, tallies []lamp.Tally) []AgentStatus {
	at, paired := make(map[string]int, len(agents)), len(agents)
	for i, agent := range agents {
		at[agent.Name] = i
	}
	for _, tally := range tallies {
		if !tally.Kind.Attempt() {
			continue
		}
		i, ok := at[tally.Agent]
		if !ok {
			i = len(agents)
			at[tally.Agent] = i
			agents = append(agents, AgentStatus{Name: tally.Agent, Former: true})
		}
		agents[i].Total += tally.Count
	}
	slices.SortFunc(agents[paired:], func(a, b AgentStatus) int { return cmp.Compare(a.Name, b.Name) })
	return agents
}

// presence returns what lets the lamps of silent agents breathe, and everything wait while no
// agent is connected.
func (d *daemon) presence() *presence.Monitor {
	return presence.New(presence.Options{
		Panel: d.screen.panel, Started: d.started, Lamp: d.screen.lamps.OfAgent,
		Limit: func() time.Duration { return time.Duration(d.configuration().Lost) }, Faults: d.faultLamps,
		Agents: func() []presence.Agent {
			d.nameFirst()
			return d.present()
		},
	})
}

// faultLamps are the lamps that show that a channel of the notices fails: the one that collects faults of an
// agent with the display's own name.
func (d *daemon) faultLamps() []int {
	lamp, _ := d.screen.lamps.Route(d.keyring.Name(), attack.Fault)
	if lamp < 0 || len(d.noticeService().Failing()) == 0 {
		return nil
	}
	return []int{lamp}
}

// present returns the paired agents as this process knows them, by name.
func (d *daemon) present() []presence.Agent {
	streams := d.streams()
	var all []presence.Agent
	for _, peer := range d.keyring.Peers() {
		stream := streams[peer.Name]
		all = append(all, presence.Agent{Name: peer.Name, Connected: stream.Connected, Paired: peer.Paired, Heard: stream.LastHeard})
	}
	return all
}

// streams returns what is known of the agents' streams, by agent.
func (d *daemon) streams() map[string]receive.Status {
	streams := map[string]receive.Status{}
	for _, stream := range d.receiver.Status() {
		streams[stream.Agent] = stream
	}
	return streams
}
