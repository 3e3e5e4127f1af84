package receive

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/escape"
	"github.com/pialert/pialert/pkg/wake"
)

// Status is how an agent is doing.
type Status struct {
	Agent     string    `json:"agent"`
	Connected bool      `json:"connected"`            // it was welcomed and its stream is open
	Since     time.Time `json:"since,omitzero"`       // when Connected became what it is
	LastHeard time.Time `json:"last_heard,omitzero"`  // when its last message arrived
	Version   string    `json:"version,omitempty"`    // of its program, as it says
	Events    uint64    `json:"events"`               // accepted in the life of this process
	Dropped   Dropped   `json:"dropped"`              // what it says that it had to drop
	Waiting   uint64    `json:"waiting"`              // events that it has and this display did not acknowledge, as it says
	Logs      []Log     `json:"logs,omitempty"`       // what it follows, as it says
	LastError string    `json:"last_error,omitempty"` // why it was cut off; empty once it is welcomed again
}

// Dropped is what an agent lost since its epoch began.
type Dropped struct {
	Events   uint64 `json:"events"`
	Attempts uint64 `json:"attempts"`
}

// Log is how an agent gets on with one of its logs.
type Log struct {
	Name     string    `json:"name"`
	LastLine time.Time `json:"last_line,omitzero"`
	Error    string    `json:"error,omitempty"` // why it cannot be read now
}

// Bounds of what an agent may say of its logs.
const (
	maxLogs     = 64
	maxLogError = 200 // bytes
)

// bounded returns the logs as they can be shown: not too many, and printable.
func bounded(logs []Log) []Log {
	logs = logs[:min(len(logs), maxLogs)]
	for i := range logs {
		logs[i].Name = escape.Text(attack.Clip(logs[i].Name, attack.MaxName))
		logs[i].Error = escape.Text(attack.Clip(logs[i].Error, maxLogError))
	}
	return logs
}

// Status returns the agents that were heard in the life of the process, by name.
func (a *Admission) Status() []Status {
	a.agents.mu.Lock()
	all := make([]*agent, 0, len(a.agents.byName))
	for _, one := range a.agents.byName {
		all = append(all, one)
	}
	a.agents.mu.Unlock()
	list := make([]Status, len(all))
	for i, a := range all {
		list[i] = a.snapshot()
	}
	slices.SortFunc(list, func(a, b Status) int { return cmp.Compare(a.Agent, b.Agent) })
	return list
}

// agents holds the agents by the names that they are paired under.
type agents struct {
	mu     sync.Mutex
	byName map[string]*agent
}

func (s *agents) get(name string) (*agent, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.byName[name]
	switch {
	case ok:
		return a, nil
	case len(s.byName) >= maxAgents:
		return nil, &Later{"too many agents"}
	case s.byName == nil:
		s.byName = make(map[string]*agent)
	}
	a = &agent{
		turn:   make(chan struct{}, 1),
		status: Status{Agent: name},
		limits: newLimits(),
		logged: make(map[string]logged), unknown: make(map[attack.Kind]bool),
	}
	s.byName[name] = a
	return a, nil
}

// agent is what outlives the sessions of one agent.
type agent struct {
	turn   chan struct{} // holds a token while a session is open
	limits limits

	// Of the session that is open.
	shown, queued uint64               // last numbers of epoch that were shown, and handed to the store
	unknown       map[attack.Kind]bool // kinds that it named and this display does not know

	mu        sync.Mutex
	status    Status
	newest    *life // of the session that was opened last, and may wait for the former one to close
	epoch     uint64
	begun     bool      // an epoch has begun
	committed uint64    // last number of epoch that the store committed since
	progress  wake.Bell // of the session that was welcomed last: rings when committed grows
	refused   time.Time // until when sessions are refused
	logged    map[string]logged
}

// life is how long a session may last.
type life struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// begin makes a session the agent's only one, as soon as the former is closed.
func (a *agent) begin(s *life, now time.Time) error {
	a.mu.Lock()
	if now.Before(a.refused) {
		reason := a.status.LastError
		a.mu.Unlock()
		return &Later{"cut off a moment ago: " + reason}
	}
	if !a.limits.sessions.AllowN(now, 1) {
		a.mu.Unlock()
		return &Later{"it opens streams too often"}
	}
	if a.newest != nil {
		a.newest.cancel(ErrReplaced)
	}
	a.newest = s
	a.mu.Unlock()
	select {
	case a.turn <- struct{}{}:
		return nil
	case <-s.ctx.Done():
		return context.Cause(s.ctx)
	}
}

// mayBegin says whether an agent may go on with an epoch, or begin a new one.
func (a *agent) mayBegin(epoch uint64, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.begun && a.epoch == epoch || a.limits.epochs.AllowN(now, 1)
}

// end is called when a session is closed.
func (a *agent) end(now time.Time) {
	a.mu.Lock()
	if a.status.Connected {
		a.status.Connected, a.status.Since = false, now
	}
	a.mu.Unlock()
	<-a.turn
}

// mayName says whether an agent may name a kind: each that is unknown has totals of its own.
func (a *agent) mayName(kind attack.Kind) bool {
	if !kind.Unknown() || a.unknown[kind] {
		return true
	}
	if len(a.unknown) >= maxKinds {
		return false
	}
	a.unknown[kind] = true
	return true
}

// welcome notes that a session begins to deliver an epoch. lives says that the agent itself is connected, rather than
// somebody who kept its messages.
func (a *agent) welcome(epoch uint64, version string, progress wake.Bell, now time.Time, lives bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.begun || a.epoch != epoch {
		a.begun = true
		a.epoch, a.committed, a.shown, a.queued = epoch, 0, 0, 0
	}
	a.progress = progress
	if lives {
		a.status.Connected, a.status.Since, a.status.LastHeard = true, now, now
	}
	a.status.Version, a.status.LastError = version, ""
}

// settled takes what the store says of numbers of an epoch.
func (a *agent) settled(epoch, committed uint64, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case epoch != a.epoch:
	case err != nil:
		// The store stops with the program; the agent brings the numbers to the next one.
		a.newest.cancel(ErrStopping)
	case committed > a.committed:
		a.committed = committed
		a.progress.Ring()
	}
}

func (a *agent) committedNow() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.committed
}

func (a *agent) snapshot() Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.status
}

// note changes the status.
func (a *agent) note(change func(*Status)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(&a.status)
}

// cutOff notes that a session was ended for a reason.
func (a *agent) cutOff(reason string, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.status.LastError = reason
	a.refused = now.Add(penalty)
}

// What is logged about an agent at a limited rate.
const (
	logCutOff  = "cut off"
	logWelcome = "welcome"
)

// logged is when something was logged last, and how often it went unlogged since.
type logged struct {
	at       time.Time
	unlogged int
}

// mayLog says how often something went unlogged before, and whether to log it now.
func (a *agent) mayLog(what string, now time.Time) (before int, log bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.logged[what]
	if now.Sub(l.at) < logEvery {
		l.unlogged++
		a.logged[what] = l
		return 0, false
	}
	a.logged[what] = logged{at: now}
	return l.unlogged, true
}
