package detect

import (
	"bytes"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/pialert/pialert/agent/internal/detect/connection"
	"github.com/pialert/pialert/agent/internal/detect/episode"
	"github.com/pialert/pialert/agent/internal/detect/login"
	"github.com/pialert/pialert/agent/internal/header"
	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/pkg/attack"
)

// Engine finds attacks in lines.
type Engine struct {
	opts    Options
	matcher *Matcher
	batch   Batch // of the lines that Feed was given
	again   Batch // of a line that is matched in its turn
	joiner  *connection.Joiner

	memories map[string]*memory // by the source's name; "" is what all logs share
	shared   *memory
	gone     []*memory // whose saved part is still to be deleted
	observed time.Time // of the line or tick at work

	origin  connection.Origin // of the line at work
	event   attack.Event
	names   rule.Names
	details []details // by rule

	ignored   uint64
	untrusted uint64
	unread    uint64
	examples  []string // of what is unread

	recognised bool
	web        web
	spreads    spreads
	ports      ports

	logins         *login.History
	accepted       attack.Accepted // of the success at work
	acceptedDetail attack.Detail   // of the last one, for the next that is alike
}

// New returns an Engine that knows nothing yet; see [Engine.Restore].
func New(opts Options) (*Engine, error) {
	if opts.Rules == nil {
		return nil, errors.New("cannot detect anything without rules")
	}
	if opts.Emit == nil {
		return nil, errors.New("cannot detect anything without somewhere to emit it")
	}
	if opts.Location == nil {
		opts.Location = time.Local
	}
	e := &Engine{
		opts:     opts,
		matcher:  NewMatcher(opts),
		memories: map[string]*memory{},
		details:  make([]details, len(opts.Rules.List())),
		logins:   login.New(),
	}
	e.joiner = connection.NewJoiner(opts.Rules, opts.Remember, e.emit)
	e.shared = &memory{clock: e.newClock(), conns: e.joiner.NewLog(nil)}
	e.memories[""] = e.shared
	if opts.Behind != nil {
		e.shared.conns.Ticked()
	}
	e.newWeb()
	e.newSpreads()
	return e, nil
}

// Stats counts what an Engine did not report.
type Stats struct {
	Ignored      uint64 // attempts from sources that Options.Ignore names
	Evicted      uint64 // connections forgotten for want of room
	Unattributed uint64 // connections that ended badly without any line that named their address
	Crowded      uint64 // addresses, networks and user names whose floods, scans or sprays may be missed, for want of room

	Untrusted uint64   // entries of a journal under the name of a program that their sender is not
	Unread    uint64   // lines of no form that is known
	Examples  []string // of those, the first few
}

// Stats returns the counts since the Engine was made.
func (e *Engine) Stats() Stats {
	stats := Stats{Ignored: e.ignored, Unattributed: e.joiner.Unattributed(), Untrusted: e.untrusted, Unread: e.unread, Examples: append([]string{}, e.examples...)}
	for _, mem := range e.memories {
		stats.Evicted += mem.conns.Evicted()
	}
	if e.web.floods != nil {
		stats.Crowded += e.web.floods.Evicted()
	}
	e.spreads.all(func(_ string, spread *episode.Spread) { stats.Crowded += spread.Evicted() })
	return stats
}

// Feed reads whole lines of a log; the last one's newline may be missing. Observed is when they
// were read, or when the journal received them; it must not be zero. They may be overwritten after
// the call.
func (e *Engine) Feed(src *Source, lines []byte, observed time.Time) {
	e.batch.Reset(src)
	e.matcher.Match(lines, &e.batch)
	e.Join(&e.batch, observed)
}

// Join takes what a [Matcher] found in a block of lines. Blocks of one log must come in its order.
func (e *Engine) Join(b *Batch, observed time.Time) { e.JoinUntil(b, observed, forever) }

// JoinUntil is [Engine.Join] for who reads several logs side by side: it ends before the first line of
// those that matter that was logged after until, in seconds since 1970, and returns when that was. Called again, it
// goes on there.
func (e *Engine) JoinUntil(b *Batch, observed time.Time, until int64) (next int64, more bool) {
	e.observed = observed
	if b.src.mem == nil {
		b.src.mem = e.memory(b.src.log)
	}
	if next, more = e.join(b, b.src.lines, until, false); !more {
		b.src.lines += b.lines
		e.untrusted += b.untrusted
	}
	return next, more
}

// forever is behind all times, in seconds since 1970.
const forever = math.MaxInt64

// join looks at the places of a batch, whose lines are counted from a number on. Lines that are
// joined again are no host's last ones.
func (e *Engine) join(b *Batch, number uint64, until int64, again bool) (next int64, more bool) {
	mem := b.src.mem
	defer mem.settleLast()
	e.origin.Log, e.origin.Observed = b.src.name, e.observed.UnixNano()
	for ; b.joined < len(b.places); b.joined++ {
		p := &b.places[b.joined]
		if until != forever {
			if at, dated := e.logged(b, p); dated && at > until {
				return at, true
			}
		}
		switch p.kind {
		case messageLine:
			m := &b.messages[p.index]
			switch {
			case again:
			case m.Rule.Twice && m.copies(mem.last(m.process())):
				mem.setLast(m.process(), nil)
				mem.setLast(m.Host, nil)
				continue
			case m.counts:
				if m.Rule.Twice {
					mem.setLast(m.process(), m.line)
				}
				mem.setLast(m.Host, m.line)
			default:
				mem.setLast(m.Host, nil)
			}
			e.joinMessage(b.src, m, number+p.number)
		case requestLine:
			e.joinRequest(b.src, &b.requests[p.index], number+p.number)
		case visitLine:
			e.joinVisit(b.src, &b.visits[p.index])
		case quietLine:
			mem.setLast(p.host, nil)
		case structuredLine:
			if !mem.structured {
				mem.structured, mem.moved = true, true
			}
		case bareLine:
			line := b.bare[p.index]
			if !b.src.mayBeBare() || !e.joinBare(b.src, line, number+p.number) {
				e.miss(line)
				continue
			}
		case missedLine:
			e.opts.Missed(b.src, b.bare[p.index], number+p.number)
		case lastRepeated:
			if !again {
				e.joinLast(b.src, p.host, b.repeats[p.index], number+p.number)
			}
		}
		e.recognised = true
	}
	return 0, false
}

// logged returns when the line at a place was logged, in seconds since 1970, if it matters and says so.
func (e *Engine) logged(b *Batch, p *place) (at int64, dated bool) {
	switch p.kind {
	case messageLine:
		at, _, dated = b.src.mem.clock.Read(b.messages[p.index].stamp, e.observed)
	case requestLine:
		r := &b.requests[p.index]
		at, dated = r.logged.Unix(), r.dated
	case visitLine:
		v := &b.visits[p.index]
		at, dated = v.logged.Unix(), v.dated
	}
	return at, dated
}

// Logins is what the Engine remembers of who got in; it may be taught before the first Feed.
func (e *Engine) Logins() *login.History { return e.logins }

// Recognised says whether any line had a form that is known.
func (e *Engine) Recognised() bool { return e.recognised }

// miss counts a line of no form that is known, and keeps the first few.
func (e *Engine) miss(line []byte) {
	if len(bytes.TrimSpace(line)) == 0 {
		return
	}
	e.unread++
	if len(e.examples) < maxExamples {
		e.examples = append(e.examples, attack.Clip(strings.ToValidUTF8(string(line[:min(len(line), maxExample)]), "\ufffd"), maxExample))
	}
}

const (
	maxExamples = 3   // lines that were not recognised, and are shown
	maxExample  = 200 // bytes of each
)

// joinMessage dates a message and joins it with its connection.
func (e *Engine) joinMessage(src *Source, m *message, number uint64) {
	mem := src.mem
	sec, nsec, dated := mem.clock.Read(m.stamp, e.observed)
	if !dated {
		sec, nsec = e.observed.Unix(), int32(e.observed.Nanosecond())
	}
	o := &e.origin
	o.Number, o.Sec, o.Nsec, o.Dated = number, sec, nsec, dated
	m.Origin = o
	if m.Rule.Join != rule.JoinPID {
		mem = e.shared
	}
	mem.conns.Join(&m.Line)
}

// joinLast feeds the last line of a host again, as often as it was repeated.
func (e *Engine) joinLast(src *Source, host uint64, r repeat, number uint64) {
	line := src.mem.last(host)
	if line == nil {
		return
	}
	m := e.matchAgain(src, number)
	if !m.msg.Cut(line) {
		m.msg = header.Message{Tag: sshdTag, Body: header.TrimEnd(line)}
	}
	m.msg.Stamp = r.stamp
	m.cutLine(line, r.times)
	e.join(&e.again, number-1, forever, true)
}

// matchAgain returns the matcher, ready to match one line into e.again.
func (e *Engine) matchAgain(src *Source, number uint64) *Matcher {
	m := e.matcher
	if src != m.src {
		m.use(src)
	}
	e.again.Reset(src)
	m.batch, e.again.lines = &e.again, 1
	return m
}

var sshdTag = []byte("sshd")

// Tick ends what time ends: doubts that no later line settled. Call it about once a second, where there is [Options.Behind], with
// the clock that Feed's observed comes from. It ends nothing in a log that is behind: the line that settles
// a doubt may stand there unread, and would count again what time had counted.
func (e *Engine) Tick(now time.Time) {
	e.observed = now
	late := false
	for name, mem := range e.memories {
		switch {
		case mem == e.shared:
		case e.opts.Behind != nil && e.opts.Behind(name):
			late = true
		default:
			mem.conns.Tick(now.Unix())
		}
	}
	if !late {
		e.shared.conns.Tick(now.Unix())
	}
	e.tickWeb(now)
	e.tickSpreads(now)
}

// Finish counts what is pending, as if all time had passed, log by log in the order of their names. For logs that
// are read to their end and not followed.
func (e *Engine) Finish() {
	for _, name := range slices.Sorted(maps.Keys(e.memories)) {
		e.memories[name].conns.Finish()
	}
	e.finishWeb()
	e.finishSpreads()
}
