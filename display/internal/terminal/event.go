package terminal

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/escape"
	"github.com/pialert/pialert/pkg/plural"
)

// maxQuoted bounds a text of an attacker's in a line, in bytes before quoting.
const maxQuoted = 60

// line writes an event as a line such as
//
//	12:00:01 ssh-a  ssh_login from 192.0.2.7 as "root" on vps  total 17
//
// Texts that came over the network stand in quotes and are plain ASCII there.
func line(at time.Time, agent, lamp string, e *attack.Event, total uint64) string {
	var b strings.Builder
	if lamp == "" {
		lamp = "-"
	}
	fmt.Fprintf(&b, "%s %s  %s", at.Format(time.TimeOnly), lamp, e.Kind)
	if e.Count > 1 {
		fmt.Fprintf(&b, " x%d", e.Count)
	}
	switch {
	case e.SourceIP.IsValid():
		fmt.Fprintf(&b, " from %s", e.SourceIP)
	case e.SourceHost != "":
		fmt.Fprintf(&b, " from %s", quote(e.SourceHost))
	}
	if e.User != "" {
		fmt.Fprintf(&b, " as %s", quote(e.User))
	}
	b.WriteString(Particulars(e.Detail))
	switch {
	case e.Host != "" && agent != "":
		fmt.Fprintf(&b, " on %s by %s", quote(e.Host), escape.Text(agent))
	case agent != "":
		fmt.Fprintf(&b, " on %s", escape.Text(agent))
	}
	if e.Test {
		b.WriteString(" (test)")
	}
	fmt.Fprintf(&b, "  total %d", total)
	return b.String()
}

var phases = map[attack.Phase]string{
	attack.PhaseStart: "began", attack.PhaseUpdate: "goes on", attack.PhaseEnd: "ended",
}

// Particulars writes what a person wants to know of a detail. Texts that came over the network stand
// in quotes.
func Particulars(detail attack.Detail) string {
	switch d := detail.(type) {
	case attack.SSH:
		if d.Reason != "" {
			return ", " + quote(d.Reason)
		}
	case attack.HTTP:
		if request := strings.TrimSpace(d.Method + " " + d.Target); request != "" {
			return " " + quote(request)
		}
	case attack.Flood:
		return fmt.Sprintf(" by %s %s, %s %s", d.Network, phases[d.Phase], plural.Count(d.Requests, "request"), quote(d.Method))
	case attack.Episode:
		text := " " + phases[d.Phase]
		if d.Network.IsValid() {
			text = fmt.Sprintf(" by %s%s", d.Network, text)
		}
		return fmt.Sprintf("%s, %s, %d distinct", text, plural.Count(d.Attempts, "attempt"), d.Distinct)
	case attack.Accepted:
		if d.Method != "" {
			return " with " + quote(d.Method)
		}
	case attack.Count:
		return fmt.Sprintf(" %s +%d", quote(d.Key), d.Value)
	case attack.BanInfo:
		if d.Jail != "" {
			return " in " + quote(d.Jail)
		}
	case attack.Local:
		if d.Service != "" {
			return " by " + quote(d.Service)
		}
	case attack.Service:
		if d.Name != "" {
			return " at " + quote(d.Name)
		}
	}
	return ""
}

// quote puts text in quotes, with everything but printable ASCII escaped.
func quote(text string) string {
	if len(text) > maxQuoted {
		return strconv.QuoteToASCII(text[:maxQuoted]) + "..."
	}
	return strconv.QuoteToASCII(text)
}
