package detect

import (
	"bytes"
	"slices"
	"strconv"
	"time"

	"github.com/pialert/pialert/agent/internal/detect/connection"
	"github.com/pialert/pialert/agent/internal/header"
	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/agent/internal/value"
)

// Batch is what the lines of a block say by themselves, in their order. Its texts point into the
// block. It is made to be used again, behind [Batch.Reset].
type Batch struct {
	src        *Source
	lines      uint64 // in the block
	untrusted  uint64 // entries of a journal that are left out because of who sent them
	structured bool   // there is a place that says so
	places     []place
	joined     int // of those
	messages   []message
	requests   []request
	visits     []visit
	repeats    []repeat
	bare       [][]byte // lines without a header, and those that are missed
}

// place is a line that has to be looked at in its turn.
type place struct {
	kind   kind
	index  int32  // in messages, requests, repeats or bare
	number uint64 // of the line in its block, from 1
	host   uint64 // hash of the host that wrote it
}

// repeat is a line that says "last message repeated".
type repeat struct {
	times uint64
	stamp header.Stamp
}

// kind is what a place has.
type kind uint8

const (
	quietLine      kind = iota // of syslog, and no rule takes it
	messageLine                // of syslog, and a rule takes it
	lastRepeated               // "last message repeated N times"
	bareLine                   // without any header
	requestLine                // of a web log, and a rule takes it
	visitLine                  // of an access log, if all of its requests are wanted
	missedLine                 // of a daemon that there are rules for, and none takes it
	structuredLine             // the first one with a stamp or a web log's format
)

// message is a line of syslog that a rule took.
type message struct {
	line   []byte
	counts bool // "last message repeated" can refer to it
	stamp  header.Stamp
	connection.Line
}

// request is a line of a web log that a rule took.
type request struct {
	rule                 *rule.Rule
	client               value.Peer
	logged               time.Time
	dated                bool
	access               bool // of an access log
	repeats              uint64
	user, method, target []byte
	request, agent, host []byte
	reason               []byte
	machine              []byte // that wrote the line; nil if it is the agent's own
	unique               []byte // what a firewall in the server calls the request, if it said so
	status               uint16 // as logged
	answer               uint16 // the status that the client got: as logged, or by what the error log says
}

// copies says whether a message is the copy of the last line of its process: exim writes what it refuses
// to its main and its reject log, log.c, and both of them are syslog. In files of its own, which name
// no host, each log has it once.
func (m *message) copies(last []byte) bool {
	if last == nil || m.PID == 0 || m.Host == noHost {
		return false
	}
	process := "[" + strconv.FormatUint(uint64(m.PID), 10) + "]: "
	_, former, found := bytes.Cut(last, []byte(process))
	_, text, _ := bytes.Cut(m.line, []byte(process))
	return found && bytes.Equal(former, text)
}

// process is under which the last line of its process is remembered beside the last ones of hosts. Between the two copies
// other processes may write.
func (m *message) process() uint64 { return m.Host ^ uint64(m.PID)*0x9e3779b97f4a7c15 }

var noHost = connection.Hash(nil)

// Reset makes it an empty batch of a log.
func (b *Batch) Reset(src *Source) {
	b.src, b.lines, b.untrusted, b.structured, b.joined = src, 0, 0, false, 0
	b.places, b.messages, b.requests, b.visits = b.places[:0], b.messages[:0], b.requests[:0], b.visits[:0]
	b.repeats, b.bare = b.repeats[:0], b.bare[:0]
}

// Lines returns how many lines it has, with those that were skipped.
func (b *Batch) Lines() uint64 { return b.lines }

// Skip adds a line that is counted but was not looked at.
func (b *Batch) Skip() { b.lines++ }

func (b *Batch) add(p place) {
	p.number = b.lines
	b.places = append(b.places, p)
}

// headless adds a line without a header.
func (b *Batch) headless(line []byte) {
	b.add(place{kind: bareLine, index: int32(len(b.bare))})
	b.bare = append(b.bare, line)
}

// missed adds a line that no rule takes.
func (b *Batch) missed(line []byte) {
	b.add(place{kind: missedLine, index: int32(len(b.bare))})
	b.bare = append(b.bare, line)
}

// repeat adds a line that says how often the last one of a host was repeated.
func (b *Batch) repeat(host, times uint64, stamp header.Stamp) {
	b.add(place{kind: lastRepeated, index: int32(len(b.repeats)), host: host})
	b.repeats = append(b.repeats, repeat{times, stamp})
}

// structure notes that a line has a stamp or a web log's format.
func (b *Batch) structure() {
	if !b.structured {
		b.structured = true
		b.add(place{kind: structuredLine})
	}
}

// quiet notes that no rule took the last line of a host. Several such lines are one place.
func (b *Batch) quiet(host uint64) {
	if n := len(b.places); n > 0 && b.places[n-1].kind == quietLine && b.places[n-1].host == host {
		return
	}
	b.add(place{kind: quietLine, host: host})
}

// roomMessages is for how many messages room is made at a time: as many lines as 32 KiB of a log have, mostly.
const roomMessages = 384

// message returns a new message to be filled in.
func (b *Batch) message() *message {
	b.add(place{kind: messageLine, index: int32(len(b.messages))})
	if len(b.messages) == cap(b.messages) {
		b.messages = slices.Grow(b.messages, roomMessages)
	}
	b.messages = b.messages[:len(b.messages)+1]
	return &b.messages[len(b.messages)-1]
}

// visit returns a new request of an access log, to be filled in.
func (b *Batch) visit() *visit {
	b.add(place{kind: visitLine, index: int32(len(b.visits))})
	if len(b.visits) < cap(b.visits) {
		b.visits = b.visits[:len(b.visits)+1]
	} else {
		b.visits = append(b.visits, visit{})
	}
	return &b.visits[len(b.visits)-1]
}

// request returns a new request.
func (b *Batch) request() *request {
	b.add(place{kind: requestLine, index: int32(len(b.requests))})
	b.requests = append(b.requests, request{})
	return &b.requests[len(b.requests)-1]
}
