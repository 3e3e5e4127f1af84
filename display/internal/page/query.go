package page

import (
	"context"
	"net/netip"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// Span is a part of time: From is in it, Until is not.
type Span struct{ From, Until time.Time }

// Filter chooses what is counted or listed. Fields that are zero choose everything.
type Filter struct {
	Agent  string
	Kind   attack.Kind
	Source netip.Prefix // an address as its own prefix, or a network
	User   string
}

// Counted is what is counted apart from all else.
type Counted struct {
	Agent string
	Kind  attack.Kind
	Host  string // the machine that wrote the lines, if it is not the agent's own
	Key   string // whose count it is, for counters that the owner feeds
}

// Count is what was counted under one name within one bar.
type Count struct {
	Bar  int // index of the bar
	Name string
	N    uint64 // attempts, or whatever the kinds count
}

// Naming says under which name something is counted.
type Naming struct {
	Of func(Counted) string // "" leaves it out
	As any                  // equal to that of any other naming that ever has the same names; nil of one that is not used again
}

// Dimension is what a list of the most frequent is of.
type Dimension string

// The dimensions.
const (
	ByNetwork Dimension = "networks"
	BySource  Dimension = "sources"
	ByUser    Dimension = "users"
	ByTarget  Dimension = "targets"
	ByKind    Dimension = "kinds"
	ByAgent   Dimension = "agents"
	ByCounter Dimension = "counters"
)

// Tally is a name and the attempts that it stands for.
type Tally struct {
	Name string
	N    uint64
}

// Source is an address or a network, and what is known of it.
type Source struct {
	Prefix      netip.Prefix
	N           uint64 // attempts
	First, Last time.Time
	Kinds       []Tally // the most frequent first, a few of each
	Users       []Tally
	Targets     []Tally
	Ban         Ban
}

// Ban is what was last heard of a source being banned; the zero value is nothing.
type Ban struct {
	At     time.Time
	Jail   string
	Lifted bool
}

// Record is an event as it was stored.
type Record struct {
	ID      int64 // rises with arrival
	Agent   string
	Arrived time.Time
	Note    string // what a person wrote who corrected a total; empty for an event
	By      int64  // what the correction added
	Event   attack.Event
}

// Page is a part of the list of events.
type Page struct {
	Span   Span // by arrival; zero times set no bound
	Filter Filter
	After  int64 // only ids above it; 0 sets no bound
	Before int64 // only ids below it; 0 sets no bound
	Limit  int
}

// History answers what the page asks of the past. Errors are shown as text, so they name no
// secrets.
type History interface {
	// Counts counts between consecutive bounds: bar i is from bounds[i] to bounds[i+1]. What is counted under one
	// name says name. Bars and names without anything are left out. Tests are
	// not counted.
	Counts(ctx context.Context, bounds []time.Time, filter Filter, name Naming) ([]Count, error)
	// NetworkCounts counts attempts between consecutive bounds by a name of the networks that they came from; what is
	// not known of has none. The filter names no user.
	NetworkCounts(ctx context.Context, bounds []time.Time, filter Filter, name func(network netip.Prefix) string) ([]Count, error)
	// Tops lists the most frequent of dimensions, the most first. Only attempts count, except for ByCounter.
	Tops(ctx context.Context, by []Dimension, span Span, filter Filter, limit int) (map[Dimension][]Tally, error)
	// Sources lists the addresses with the most attempts, the most first.
	Sources(ctx context.Context, span Span, filter Filter, limit int) ([]Source, error)
	// Source is all that is known of one address or network; N is 0 if nothing is.
	Source(ctx context.Context, prefix netip.Prefix) (Source, error)
	// Events lists events, the newest first.
	Events(ctx context.Context, page Page) ([]Record, error)
	// Find lists the users, or targets, whose name has text in it, the most frequent first.
	Find(ctx context.Context, by Dimension, text string, limit int) ([]Tally, error)
}

// State is what the running display says of itself.
type State struct {
	Version string
	Started time.Time
	Since   time.Time // of the first thing counted; zero if unknown
	Total   uint64    // attempts
	Lamps   []Lamp
	Agents  []Agent
	Notices []Notice
	Problem []string // what is wrong now

	// Lamp returns the index of the lamp that shows a kind from an agent, -1 if none does, and
	// whether the lamp's total counts it. The host is the machine that wrote the lines, if it is not the
	// agent's own, and key that of a counter.
	Lamp func(agent string, kind attack.Kind, host, key string) (lamp int, counts bool)
	// Routes is another one whenever Lamp may answer otherwise.
	Routes any
	// LampsOf returns the indexes of the lamps that an agent lights.
	LampsOf func(agent string) []int
}

// Lamp is a lamp and its total.
type Lamp struct {
	Name, Label string
	Color       Color
	LED         int
	Total       uint64
}

// Agent is an agent and how it does.
type Agent struct {
	Name      string
	Version   string
	Connected bool
	Silent    bool      // not heard for longer than the owner allows
	Former    bool      // no longer paired: what it counted stays
	Since     time.Time // when the link came up or went down
	Heard     time.Time
	Address   string // of the present or last connection
	Error     string // why it is down
	Total     uint64
	Dropped   uint64 // attempts that it had to drop
}

// Notice is a channel by which people are notified, and how it does.
type Notice struct {
	Channel                    string
	Delivered, Waiting, Failed uint64 // messages
	Answer                     string // the service's last one
	Answered                   time.Time
}

// Place is where an address is, as the owner's database has it.
type Place struct {
	Country string // ISO 3166-1 code, empty if unknown
	Network string // the operator's name, empty if unknown
}
