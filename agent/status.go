package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/agent/internal/enforce"
	"github.com/pialert/pialert/agent/internal/source"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/escape"
	"github.com/pialert/pialert/pkg/link"
	"github.com/pialert/pialert/pkg/plural"
)

// Status is what the running agent says of itself.
type Status struct {
	Name    string    `json:"name"`
	Version string    `json:"version"`
	Started time.Time `json:"started"`

	Sources  []SourceStatus    `json:"sources"`
	Kinds    map[string]uint64 `json:"kinds"`           // events found since the start, by kind
	Fired    map[string]uint64 `json:"fired"`           // those of them that are of no log: a person fired them, or a program reported them
	Hosts    map[string]uint64 `json:"hosts,omitempty"` // those of them on other machines, by the names in their lines
	Displays []DisplayStatus   `json:"displays"`
	Spool    SpoolStatus       `json:"spool"`
	Detect   DetectStatus      `json:"detection"`
	Problems []string          `json:"problems,omitempty"`           // what is wrong beside
	Rotation []string          `json:"rotation_waits_for,omitempty"` // peers that do not know the next key yet

	Responses *enforce.Stats `json:"responses,omitempty"` // bans: what was decided, and what became of it
}

// SourceStatus is one followed log.
type SourceStatus struct {
	source.Stats
	Events uint64            `json:"events"`           // found since the start
	Kinds  map[string]uint64 `json:"kinds"`            // the same by kind
	Remedy string            `json:"remedy,omitempty"` // what lets it be read, if the system forbids it
}

// DisplayStatus is the link to one display.
type DisplayStatus struct {
	Name    string     `json:"name"`
	Link    link.State `json:"link"`
	Acked   uint64     `json:"acked"`   // last event number that the display has committed
	Waiting uint64     `json:"waiting"` // events that it has not
}

// SpoolStatus is what is kept for the displays.
type SpoolStatus struct {
	Next            uint64 `json:"next_sequence"`
	Waiting         uint64 `json:"waiting"`
	Bytes           int64  `json:"bytes"`
	DroppedEvents   uint64 `json:"dropped_events"`
	DroppedAttempts uint64 `json:"dropped_attempts"`
	RefusedEvents   uint64 `json:"refused_events"` // outside the bounds of an event, since the start

	// Fault is why it cannot be written, since FaultSince; while it cannot, no log is read on.
	Fault      string    `json:"fault,omitempty"`
	FaultSince time.Time `json:"fault_since,omitzero"`
}

// DetectStatus is what detection could not make an event of, since the start.
type DetectStatus struct {
	Ignored      uint64 `json:"ignored"`      // attempts from addresses that the configuration ignores
	Evicted      uint64 `json:"evicted"`      // connections forgotten for want of room
	Unattributed uint64 `json:"unattributed"` // connections that failed before any line named their address
	Crowded      uint64 `json:"crowded"`      // addresses, networks and user names whose floods, scans or sprays may be missed, for want of room

	Untrusted uint64   `json:"untrusted"` // entries of journals kept as files that name a program which their sender is not
	Unread    uint64   `json:"unread"`    // lines of no form that is known
	Examples  []string `json:"examples"`  // of those, the first few
}

// status looks at everything.
func (d *daemon) status() Status {
	run := d.current()
	status := Status{Name: d.keyring.Name(), Version: cli.Release(), Started: d.started, Kinds: map[string]uint64{}, Fired: map[string]uint64{},
		Sources: []SourceStatus{}, Displays: []DisplayStatus{}}
	found := run.pipeline.Counts()
	for _, stats := range run.stats() {
		one := SourceStatus{Stats: stats, Kinds: map[string]uint64{}}
		for kind, n := range found.Logs[stats.Source] {
			one.Events += n
			one.Kinds[kind.String()] = n
		}
		if stats.State == source.Waiting && stats.Source != sourceJournal {
			if closed := source.Denied(os.DirFS("/"), stats.Source); closed != "" {
				one.State, one.Error, one.Remedy = source.Failing, closed+" may not be read", remedy(closed)
			}
		}
		status.Sources = append(status.Sources, one)
	}
	for kind, n := range found.Logs[""] {
		status.Fired[kind.String()] = n
	}
	for kind, n := range found.Kinds {
		status.Kinds[kind.String()] = n
	}
	status.Hosts = found.Hosts
	if fault := d.scraped.Fault(); fault != nil {
		status.Problems = append(status.Problems, fault.Error())
	}
	status.Detect = DetectStatus(run.detected())
	kept := d.spool.Stats()
	status.Spool = SpoolStatus{Next: kept.Next, Waiting: kept.Waiting, Bytes: kept.Bytes, RefusedEvents: kept.Refused}
	status.Spool.DroppedEvents, status.Spool.DroppedAttempts = kept.Dropped.Events, kept.Dropped.Attempts
	if fault := run.pipeline.Fault(); fault != nil {
		status.Spool.Fault, status.Spool.FaultSince = fault.Err.Error(), fault.Since
	}
	states := d.states()
	for _, peer := range d.keyring.Peers() {
		display := DisplayStatus{Name: peer.Name, Link: link.State{Peer: peer.Name}, Acked: kept.Acked[peer.Name]}
		if display.Acked+1 < kept.Next {
			display.Waiting = kept.Next - 1 - max(display.Acked, kept.First-1)
		}
		for _, state := range states {
			if state.Peer == peer.Name && (state.Up || !display.Link.Up) {
				display.Link = state
			}
		}
		status.Displays = append(status.Displays, display)
	}
	_, status.Rotation = d.keyring.Rotation()
	responses := run.responses.Stats()
	status.Responses = &responses
	return status
}

// alive is what systemd's watchdog and the health endpoint test: the loop that everything passes.
func (d *daemon) alive() error { return d.current().pipeline.Alive(time.Now()) }

// summary is one line for systemctl status.
func (d *daemon) summary() string {
	status := d.status()
	up := 0
	for _, display := range status.Displays {
		if display.Link.Up {
			up++
		}
	}
	var events uint64
	for _, source := range status.Sources {
		events += source.Events
	}
	return fmt.Sprintf("%s, %s, %d of %s connected, %d waiting", plural.Count(len(status.Sources), "log"), plural.Count(events, "event"),
		up, plural.Count(len(status.Displays), "display"), status.Spool.Waiting)
}

func statusCommand(s *settings) *cobra.Command {
	return cli.StatusCommand(s, "Say what is read, what was found and who has it",
		`  pialert-agent status
  pialert-agent status --format json | jq .spool.waiting`, Status.write)
}

// write prints the status for people.
func (s Status) write(out io.Writer, now time.Time) error {
	fmt.Fprintf(out, "%s (%s), up %s\n\n", s.Name, s.Version, now.Sub(s.Started).Round(time.Second))
	table := cli.NewTable(out)
	fmt.Fprintln(table, "LOG\tSTATE\tLINES\tFOUND\tLAST LINE")
	var waiting []string
	for _, log := range s.Sources {
		if log.State == source.Waiting && log.Lines == 0 {
			waiting = append(waiting, escape.Text(log.Source))
			continue
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\n", escape.Text(log.Source), log.State, log.Lines, inWords(log.Kinds), cli.Ago(log.LastLine, now))
	}
	if len(s.Fired) > 0 {
		fmt.Fprintf(table, "fired or reported\t\t\t%s\t\n", inWords(s.Fired))
	}
	if len(s.Hosts) > 0 {
		fmt.Fprintf(table, "of other machines\t\t\t%s\t\n", escape.Text(inWords(s.Hosts)))
	}
	fmt.Fprintln(table, "\nDISPLAY\tLINK\tSINCE\tWAITING\tADDRESS")
	for _, display := range s.Displays {
		state := "down"
		if display.Link.Up {
			state = "up"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\n", display.Name, state, cli.Ago(display.Link.Since, now), display.Waiting, display.Link.Address)
	}
	if len(s.Displays) == 0 {
		fmt.Fprintln(table, "none\tpair one with: sudo pialert-agent pair")
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%s so far, %d waiting for a display (%s)\n", plural.Count(s.Spool.Next-1, "event"), s.Spool.Waiting, plural.Count(s.Spool.Bytes, "byte"))
	if s.Responses != nil {
		fmt.Fprintln(out, s.Responses.Summary(now))
	}
	for _, note := range s.notes() {
		fmt.Fprintln(out, note)
	}
	if len(waiting) > 0 {
		fmt.Fprintln(out, "nothing is there yet of", strings.Join(waiting, ", "))
	}
	return nil
}

// inWords says how many events of each kind were found, the commonest first.
func inWords(kinds map[string]uint64) string {
	if len(kinds) == 0 {
		return "nothing"
	}
	names := slices.SortedFunc(maps.Keys(kinds), func(a, b string) int {
		return cmp.Or(cmp.Compare(kinds[b], kinds[a]), cmp.Compare(a, b))
	})
	const most = 20
	if more := len(names) - most; more > 0 {
		names = append(names[:most], fmt.Sprintf("and of %d more", more))
	}
	for i, name := range names[:min(len(names), most)] {
		names[i] = fmt.Sprintf("%d %s", kinds[name], name)
	}
	return strings.Join(names, ", ")
}
