package connection

import (
	"net/netip"

	"github.com/pialert/pialert/agent/internal/rule"
)

// Line is a line that a rule took. Its texts are valid during [Log.Join] only. What every line is asked for stands
// first, in few lines of the processor's cache.
type Line struct {
	*Origin
	Rule    *rule.Rule
	Host    uint64 // hash of the name of the host that wrote it
	PID     uint32 // process that wrote it, 0 if it does not say
	Bare    bool   // it has no header at all
	Repeats uint64 // times that the line stands for
	Fields  rule.Fields
	User    string // of the fields
	Text    []byte // that the rule matched
	Machine []byte // the host's name, where events are to have it
}

// Origin is where a line stands, and when it was logged and read.
type Origin struct {
	Log      string // its name
	Number   uint64 // in its log, from 1
	Observed int64  // when it was read, in nanoseconds since 1970
	Time
}

// Time is when a line was logged.
type Time struct {
	Sec   int64 // since 1970; of the observation where the line has no stamp
	Nsec  int32
	Dated bool // the line has a stamp
}

// Attempt is what lines prove.
type Attempt struct {
	Rule  *rule.Rule
	Count uint64

	Addr        netip.Addr // invalid if no line gave it
	Port        uint16
	Host        string // the peer's name where no line gave its address
	User        string
	Method      string
	Reason      string
	Target      string
	TTY         string
	Jail        string
	Fingerprint string
	Machine     string // that wrote the line; empty if it is the agent's own
	InvalidUser bool   // the daemon says that there is no such account

	Time
	Log      string
	Line     uint64 // 0 if it was read before a restart
	Observed int64  // in nanoseconds since 1970
}
