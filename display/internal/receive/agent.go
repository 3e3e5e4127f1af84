package receive

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
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
	LastError string    `json:"last_error,omitempty"` // why it was cut off; empty once it is welcomed again
}

// Dropped is what an agent lost since its epoch began.
type Dropped struct {
	Events   uint64 `json:"events"`
	Attempts uint64 `json:"attempts"`
}

// Status returns the agents that were heard in the life of the process, by name.
func (s *Server) Status() []Status {
	s.agents.mu.Lock()
	all := make([]*agent, 0, len(s.agents.byName))
	for _, a := range s.agents.byName {
		all = append(all, a)
	}
	s.agents.mu.Unlock()
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
		return nil, status.Error(codes.ResourceExhausted, "too many agents")
	case s.byName == nil:
		s.byName = make(map[string]*agent)
	}
	a = &agent{
		turn:     make(chan struct{}, 1),
		status:   Status{Agent: name},
		messages: bucket{rate: messageRate, burst: messageBurst},
		attempts: bucket{rate: attemptRate, burst: attemptBurst},
	}
	s.byName[name] = a
	return a, nil
}

// agent is what outlives the streams of one agent.
type agent struct {
	turn chan struct{} // holds a token while a stream is served

	// Of the stream that is served.
	shown, queued      uint64 // last numbers of epoch that were shown, and handed to the store
	messages, attempts bucket

	mu        sync.Mutex
	status    Status
	cancel    context.CancelCauseFunc // ends the newest stream
	newest    *session                // for which cancel is
	epoch     uint64
	committed uint64        // last number of epoch that is committed
	progress  chan struct{} // of the welcomed stream: gets a token when committed grows
	refused   time.Time     // until when streams are refused
	logged    time.Time     // when cutting off was logged last
	unlogged  int           // how often it was not, since
}

var errReplaced = status.Error(codes.Aborted, "another stream of this agent took over")

// begin makes a stream the agent's only one, as soon as the former is no longer served.
func (a *agent) begin(ctx context.Context, s *session, cancel context.CancelCauseFunc, now time.Time) error {
	a.mu.Lock()
	if now.Before(a.refused) {
		reason := a.status.LastError
		a.mu.Unlock()
		return status.Errorf(codes.ResourceExhausted, "cut off a moment ago: %s", reason)
	}
	if a.cancel != nil {
		a.cancel(errReplaced)
	}
	a.cancel, a.newest = cancel, s
	a.mu.Unlock()
	select {
	case a.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// end is called when a stream is no longer served.
func (a *agent) end(s *session, now time.Time) {
	a.mu.Lock()
	if a.newest == s {
		a.cancel, a.newest = nil, nil
	}
	if a.status.Connected {
		a.status.Connected, a.status.Since = false, now
	}
	a.progress = nil
	a.mu.Unlock()
	<-a.turn
}

// welcome notes that a stream begins to deliver an epoch.
func (a *agent) welcome(epoch, committed uint64, version string, progress chan struct{}, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.epoch != epoch {
		a.epoch, a.committed, a.shown, a.queued = epoch, 0, 0, 0
	}
	a.committed = max(a.committed, committed)
	a.shown, a.queued = max(a.shown, committed), max(a.queued, committed)
	a.progress = progress
	a.status.Connected, a.status.Since, a.status.LastHeard = true, now, now
	a.status.Version, a.status.LastError = version, ""
}

// settled takes what the store says of numbers of an epoch.
func (a *agent) settled(epoch, committed uint64, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case epoch != a.epoch:
	case err != nil && a.cancel != nil:
		// The store stops with the program; the agent brings the numbers to the next one.
		a.cancel(status.Error(codes.Unavailable, "the display is stopping"))
	case committed > a.committed:
		a.committed = committed
		if a.progress != nil {
			offer(a.progress)
		}
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

// cutOff notes that a stream was ended for a reason, and says whether to log it and how many
// times that was not logged before.
func (a *agent) cutOff(reason string, now time.Time) (log bool, before int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.status.LastError = reason
	a.refused = now.Add(penalty)
	if !a.logged.IsZero() && now.Sub(a.logged) < logEvery {
		a.unlogged++
		return false, 0
	}
	before, a.unlogged, a.logged = a.unlogged, 0, now
	return true, before
}

// offer puts a token into a channel of one place unless one is there.
func offer(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// refusal is why an agent is cut off.
type refusal struct {
	code codes.Code
	text string
}

func (r *refusal) Error() string { return r.text }

// GRPCStatus makes it the status that the agent gets.
func (r *refusal) GRPCStatus() *status.Status { return status.New(r.code, r.text) }

// refusalOf returns why err cuts the agent off, or nil for an end that is nobody's fault.
func refusalOf(err error) *refusal {
	var r *refusal
	if errors.As(err, &r) {
		return r
	}
	// What gRPC itself refuses: a message above the limit, or one that is no FromAgent.
	if s, ok := status.FromError(err); ok && (s.Code() == codes.ResourceExhausted || s.Code() == codes.Internal) {
		return &refusal{s.Code(), s.Message()}
	}
	return nil
}
