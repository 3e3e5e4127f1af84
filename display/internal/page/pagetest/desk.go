package pagetest

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/pialert/pialert/display/internal/animate"
	"github.com/pialert/pialert/display/internal/lamp"
	"github.com/pialert/pialert/display/internal/page"
	"github.com/pialert/pialert/pkg/attack"
)

// Desk is an example: a display with three agents and three months of attacks, always the same for
// one time.
type Desk struct {
	*History
	now   time.Time
	lamps []page.Lamp
}

var agents = []string{"vps", "blog", "mail"}

// lamps are those of a display without a configuration; those for SSH name its agents.
func lamps() (all []page.Lamp) {
	labels := map[string]string{"ssh-a": "SSH on vps", "ssh-b": "SSH on blog and mail"}
	for _, one := range lamp.Defaults() {
		label, named := labels[one.Name]
		if !named {
			label = one.Label
		}
		all = append(all, page.Lamp{Name: one.Name, Label: label, Color: page.Color(one.RGB()), LED: one.LED})
	}
	return all
}

// NewDesk makes the example as it is at a time.
func NewDesk(now time.Time) *Desk {
	d := &Desk{History: &History{}, now: now, lamps: lamps()}
	random := rand.New(rand.NewPCG(1, 2))
	var events []page.Record
	add := func(agent string, at time.Time, e attack.Event) {
		e.Logged, e.Observed, e.Severity = at, at, e.Kind.Severity()
		if e.Count == 0 {
			e.Count = 1
		}
		events = append(events, page.Record{Agent: agent, Arrived: at.Add(400 * time.Millisecond), Event: e})
	}
	// The nearer, the denser: a chart of each range has something to show.
	for _, part := range []struct {
		long time.Duration
		n    int
	}{{90 * 24 * time.Hour, 5200}, {7 * 24 * time.Hour, 2600}, {24 * time.Hour, 1800}, {90 * time.Minute, 160}} {
		for range part.n {
			at := now.Add(-time.Duration(random.Float64() * float64(part.long)))
			if hour := float64(at.UTC().Hour()); random.Float64() > 0.55+0.45*math.Sin(hour/24*2*math.Pi) {
				continue
			}
			agent, e := attempt(random)
			add(agent, at, e)
		}
	}
	for i := range 40 { // one wave, this morning
		at := now.Add(-5*time.Hour + time.Duration(i)*40*time.Second)
		add("vps", at, attack.Event{Kind: attack.SSHLogin, SourceIP: netip.MustParseAddr("203.0.113.77"), User: "root", Count: uint64(2 + random.IntN(9)), Detail: attack.SSH{Method: "password"}})
	}
	banned := attack.Event{Kind: attack.Ban, SourceIP: netip.MustParseAddr("203.0.113.77"), Detail: attack.BanInfo{Jail: "sshd"}}
	add("vps", now.Add(-4*time.Hour-20*time.Minute), banned)
	for range 250 {
		add("blog", now.Add(-time.Duration(random.Float64()*float64(24*time.Hour))), attack.Event{Kind: attack.Visit, Count: uint64(1 + random.IntN(5))})
	}
	slices.SortFunc(events, func(a, b page.Record) int { return a.Arrived.Compare(b.Arrived) })
	for _, r := range events {
		d.Add(r.Agent, r.Arrived, r.Event)
	}
	return d
}

var (
	users   = []string{"root", "root", "root", "admin", "admin", "ubuntu", "test", "oracle", "git", "postgres", "pi", "user", "deploy", "ftpuser", "minecraft"}
	targets = []string{"/.env", "/.git/config", "/phpmyadmin/index.php", "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php", "/boaform/admin/formLogin", "/actuator/health", "/cgi-bin/.%2e/.%2e/bin/sh", "/solr/admin/info/system"}
)

// attempt makes one of the attacks that everybody sees.
func attempt(random *rand.Rand) (agent string, e attack.Event) {
	pick := func(list []string) string { return list[random.IntN(len(list))] }
	host := min(random.ExpFloat64()*12, 250)
	networks := []string{"192.0.2", "198.51.100", "203.0.113"}
	e.SourceIP = netip.MustParseAddr(fmt.Sprintf("%s.%d", pick(networks), 1+int(host)))
	if random.IntN(14) == 0 {
		e.SourceIP = netip.MustParseAddr(fmt.Sprintf("2001:db8:%x::%x", random.IntN(4), 1+random.IntN(60)))
	}
	agent = agents[random.IntN(3)]
	switch n := random.IntN(100); {
	case n < 58:
		e.Kind, e.User, e.Detail = attack.SSHLogin, pick(users), attack.SSH{Method: "password"}
		if random.IntN(8) == 0 {
			e.Kind, e.User, e.Detail = attack.SSHProbe, "", attack.SSH{Reason: "bad banner"}
		}
	case n < 76:
		agent, e.Kind, e.User = "blog", attack.WordPressLogin, pick([]string{"admin", "wordpress", "editor", "author"})
		e.Detail = attack.HTTP{Method: "POST", Target: "/wp-login.php", Status: 200}
	case n < 80:
		agent, e.Kind, e.Detail = "blog", attack.XMLRPC, attack.HTTP{Method: "POST", Target: "/xmlrpc.php", Status: 200}
	case n < 94:
		agent, e.Kind, e.Detail = "blog", attack.HTTPProbe, attack.HTTP{Method: "GET", Target: pick(targets), Status: 404}
	default:
		agent, e.Kind, e.User, e.Detail = "mail", attack.MailLogin, pick([]string{"info", "sales", "postmaster"}), attack.Service{Name: "dovecot", Reason: "auth failed"}
	}
	return agent, e
}

// Now is the example's time.
func (d *Desk) Now() time.Time { return d.now }

// lampsOf says which lamps agents light.
var lampsOf = map[string][]int{"blog": {1, 2, 3}, "mail": {2, 3}, "vps": {0}}

// State is what the example's display says of itself.
func (d *Desk) State(context.Context) (page.State, error) {
	s := page.State{Version: "1.0", Started: d.now.Add(-77 * time.Hour), Since: d.now.AddDate(0, 0, -90), Lamp: d.lamp, LampsOf: func(agent string) []int { return lampsOf[agent] }}
	s.Lamps = slices.Clone(d.lamps)
	of := map[string]uint64{}
	for i := range d.Records {
		r := &d.Records[i]
		if r.Event.Test || !r.Event.Kind.Attempt() {
			continue
		}
		s.Total += r.Event.Count
		of[r.Agent] += r.Event.Count
		if lamp, counts := d.lamp(r.Agent, r.Event.Kind, "", ""); counts {
			s.Lamps[lamp].Total += r.Event.Count
		}
	}
	at := func(long time.Duration) time.Time { return d.now.Add(-long) }
	s.Agents = []page.Agent{
		{Name: "blog", Version: "1.0", Connected: true, Since: at(77 * time.Hour), Heard: at(4 * time.Second), Address: "198.51.100.20:7483"},
		{Name: "mail", Version: "0.9.2", Silent: true, Since: at(41 * time.Minute), Heard: at(41 * time.Minute), Address: "198.51.100.21:7483", Error: "connection reset by peer", Dropped: 112},
		{Name: "vps", Version: "1.0", Connected: true, Since: at(5*time.Hour + 12*time.Minute), Heard: at(2 * time.Second), Address: "203.0.113.5:7483"},
	}
	s.Notices = []page.Notice{
		{Channel: "mail", Delivered: 31, Answer: "2.0.0 Ok: queued as 4Ff1x", Answered: at(10 * time.Hour)},
		{Channel: "phone", Delivered: 12, Waiting: 1, Failed: 2, Answer: "403 Forbidden: bot was blocked by the user", Answered: at(3 * time.Hour)},
	}
	for i := range s.Agents {
		s.Agents[i].Total = of[s.Agents[i].Name]
	}
	return s, nil
}

// lamp routes as the lamps of a display without a configuration do.
func (d *Desk) lamp(agent string, kind attack.Kind, _, _ string) (int, bool) {
	switch {
	case kind == attack.Visit:
		return -1, false
	case kind.Family() == attack.FamilyWordPress:
		return 1, kind.Attempt()
	case kind.Family() != attack.FamilySSH:
		return 3, kind.Attempt()
	case agent == agents[0]:
		return 0, kind.Attempt()
	}
	return 2, kind.Attempt()
}

// Place knows the three networks for documentation, which are nowhere.
func (d *Desk) Place(address netip.Addr) page.Place {
	for network, place := range map[string]page.Place{
		"192.0.2.0/24":    {Country: "NL", Network: "Example Hosting"},
		"198.51.100.0/24": {Country: "VN", Network: "Example Telecom"},
		"203.0.113.0/24":  {Country: "US", Network: "Example Cloud"},
	} {
		if netip.MustParsePrefix(network).Contains(address) {
			return place
		}
	}
	return page.Place{}
}

// Rest is the picture of the device while nothing moves.
func (d *Desk) Rest() animate.Frame {
	var f animate.Frame
	s, _ := d.State(context.Background())
	for _, l := range s.Lamps {
		f.Pixels[l.LED] = animate.Pixel{R: l.Color.R / 3, G: l.Color.G / 3, B: l.Color.B / 3, Brightness: 7}
	}
	f.Digits = animate.Digits{Cells: animate.Total(s.Lamps[0].Total), Brightness: 3}
	return f
}
