package notice

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pialert/pialert/pkg/wake"
)

// Options say what a Service works with.
type Options struct {
	Config   Config // validated
	Channels map[string]Channel
	History  History
	Around   Around
	Zone     *time.Location
	Now      func() time.Time
	Ran      func() time.Duration // how long the program has; no clock that is set changes it
	Logger   *slog.Logger
}

// Service plans and delivers notices. Its methods may be called from several goroutines at once.
type Service struct {
	options Options
	outbox  *outbox
	names   []string // of the configured channels, also those that could not be opened
	wakes   map[string]wake.Bell

	opened atomic.Bool // the outbox has its tables

	mu     sync.Mutex
	capped map[string]int // messages that the daily bound kept out, by channel
	health health
}

// New returns a service that has started nothing.
func New(options Options) *Service {
	s := &Service{
		options: options, wakes: map[string]wake.Bell{}, capped: map[string]int{},
		outbox: &outbox{options.History, options.Config.Daily, time.Duration(options.Config.Keep), options.Zone},
	}
	for _, one := range options.Config.Channels {
		s.names = append(s.names, one.Name)
	}
	for name := range options.Channels {
		s.wakes[name] = wake.New()
	}
	return s
}

const (
	tickEvery  = time.Second // events are gathered for so long, and a flood costs a look a second
	readAtOnce = 500         // events that one query brings
	saveEvery  = time.Minute // how long what sent nothing is only remembered
)

// Run tells and delivers until ctx ends, and returns nil then. Without any channel it returns at once.
func (s *Service) Run(ctx context.Context) error {
	if len(s.options.Channels) == 0 {
		return nil
	}
	plan, err := s.open(ctx)
	if err != nil {
		return nil // ctx has ended
	}
	group, ctx := errgroup.WithContext(ctx)
	for name, one := range s.options.Channels {
		w := &worker{name, one, s.outbox, s.wakes[name], s.options.Logger, s.options.Now}
		group.Go(func() error { return w.Run(ctx) })
	}
	group.Go(func() error { return s.plan(ctx, plan) })
	return group.Wait()
}

// open opens the outbox, however long that takes: the disk may be full.
func (s *Service) open(ctx context.Context) (*plan, error) {
	for said := false; ; said = true {
		cursor, rules, givenUp, err := s.outbox.open(ctx)
		if err == nil {
			if givenUp > 0 {
				s.options.Logger.Warn("notices may not have arrived: the display ended twice while they were handed over; notices list names them", "notices", givenUp)
			}
			s.opened.Store(true)
			if last := s.options.History.Last(); cursor < 0 || cursor > last { // nothing kept, or of another history
				cursor = last
			}
			p := &plan{cursor: cursor, rules: rules, aged: s.options.Ran()}
			s.restore(p)
			return p, nil
		}
		if !said {
			s.options.Logger.Error("cannot open the outbox of the notices yet", "error", err)
		}
		timer := time.NewTimer(pauses[0])
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		case <-timer.C:
		}
	}
}

// plan is the planner with the place in the events that it has come to, and what of both is saved.
type plan struct {
	*planner
	at    int64         // id of the last event that was looked at
	saved time.Time     // when cursor and rules were
	aged  time.Duration // how long the program had run when what waits was written last

	cursor int64  // of the last save
	rules  []byte // what the rules remembered then, as JSON
}

// restore goes back to what was saved.
func (s *Service) restore(p *plan) {
	var state map[string]*kept
	if json.Unmarshal(p.rules, &state) != nil {
		state = nil // another version's: the rules start anew, the cursor holds
	}
	p.planner = newPlanner(s.options.Config, s.options.Zone, s.options.Around.Lamp, state, s.options.Now())
	p.at = p.cursor
}

// plan looks at events and at the clock until ctx ends. What is not saved then, or after a fault, is
// looked at again.
func (s *Service) plan(ctx context.Context, p *plan) error {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	for faulty := false; ; {
		err := s.turn(ctx, p)
		if failed := err != nil && ctx.Err() == nil; failed != faulty {
			faulty = failed
			if failed {
				s.options.Logger.Error("cannot plan notices now; none is lost", "error", err)
			} else {
				s.options.Logger.Info("notices are planned again")
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// turn looks at what is new, and queues the messages that are due.
func (s *Service) turn(ctx context.Context, p *plan) error {
	now := s.options.Now()
	for last := s.options.History.Last(); p.at < last; {
		records, err := s.options.History.After(ctx, p.at, readAtOnce)
		if err != nil {
			return err
		}
		if len(records) == 0 {
			p.at = last // the rest was deleted
			break
		}
		for i := range records {
			p.feed(&records[i], now)
		}
		p.at = records[len(records)-1].ID
	}
	if err := s.age(ctx, p, now); err != nil {
		return err
	}
	health, err := s.outbox.health(ctx, s.names, now)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.health = health
	s.mu.Unlock()
	p.tick(observed{s.options.Around.Heard(), s.options.Around.Dropped(), health}, now)
	messages, err := p.digests(ctx, s.options.Around.Summary, now)
	if err != nil {
		return errors.Join(err, s.save(ctx, p, messages, now))
	}
	messages = append(messages, p.due(now)...)
	if age := now.Sub(p.saved); len(messages) == 0 && age >= 0 && age < saveEvery {
		return nil
	}
	return s.save(ctx, p, messages, now)
}

// age tells what waits, about once a minute, how long it has.
func (s *Service) age(ctx context.Context, p *plan, now time.Time) error {
	ran := s.options.Ran()
	if ran-p.aged < saveEvery {
		return nil
	}
	givenUp, err := s.outbox.age(ctx, ran-p.aged, now)
	if err != nil {
		return err
	}
	p.aged = ran
	if givenUp > 0 {
		s.options.Logger.Warn("notices were given up; notices list says why", "notices", givenUp)
	}
	return nil
}

// save makes the plan last together with new messages. If that fails it goes back to what was saved:
// the planner has forgotten what the messages tell.
func (s *Service) save(ctx context.Context, p *plan, messages []planned, now time.Time) error {
	rules, err := json.Marshal(p.state)
	if err != nil {
		return err
	}
	if p.saved = now; len(messages) == 0 && p.at == p.cursor && bytes.Equal(rules, p.rules) {
		return nil
	}
	capped, err := s.outbox.save(ctx, p.at, rules, messages, now)
	if err != nil {
		s.restore(p)
		return err
	}
	p.cursor, p.rules = p.at, rules
	s.count(capped)
	s.wake()
	return nil
}

func (s *Service) count(capped map[string]int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, n := range capped {
		s.capped[name] += n
	}
}

// wake lets the workers look.
func (s *Service) wake() {
	for _, one := range s.wakes {
		one.Ring()
	}
}
