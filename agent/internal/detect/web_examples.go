package detect

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// classifyWeb finds the rule for an example of a rule for web logs. The line of an access log may
// be shortened to "METHOD TARGET" or "METHOD TARGET STATUS".
func (c *classified) classifyWeb(s *Rules, r *Rule, line string) {
	if r.Type == TypeAccess && !strings.Contains(line, `"`) {
		line = spelledOut(line)
	}
	e, err := New(Options{Rules: s, Emit: func(ev *attack.Event, _ uint64) {
		c.fields = fields{source: ev.SourceIP, host: []byte(ev.SourceHost), port: ev.SourcePort, user: []byte(ev.User), count: ev.Count}
	}})
	if err != nil {
		return
	}
	e.Feed(&Source{typ: r.Type}, []byte(line), time.Unix(0, 0))
	if c.rule = e.web.rule; c.rule != nil && e.web.named == r {
		c.rule = r // the rule for requests that took over has examples of its own
	}
}

// spelledOut writes the line of an access log for a shortened one.
func spelledOut(short string) string {
	request, status := short, "404"
	if space := strings.LastIndexByte(short, ' '); space >= 0 {
		if _, err := strconv.Atoi(short[space+1:]); err == nil {
			request, status = short[:space], short[space+1:]
		}
	}
	return exampleClient.String() + ` - - [01/Jan/2026:00:00:00 +0000] "` + request + ` HTTP/1.1" ` + status + ` 0 "-" "-"`
}

var exampleClient = netip.MustParseAddr("192.0.2.7")
