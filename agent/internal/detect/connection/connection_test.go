package connection

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/pkg/attack"
)

// Rules whose lines the tests tell, by what they say.
const (
	connected = "sshd-connection"      // context: gives the address
	refused   = "pam-sshd"             // doubt: a module of PAM's refused
	failed    = "sshd-failed-password" // attempt
	pamError  = "sshd-pam-error"       // attempt, of the reporter pam
	keyboard  = "sshd-failed-keyboard-interactive"
	invalid   = "sshd-invalid-user"   // announce
	failedKey = "sshd-failed-key"     // trial
	closedBy  = "sshd-closed-by-user" // end, an attempt
	closed    = "sshd-closed"         // end, a probe
	accepted  = "sshd-accepted"       // success
	ftpPAM    = "pam-ftp"             // attempt, joined by source, of the reporter pam
	ftpWorker = "pam-ftp-access"      // attempt, joined by source, of the reporter worker
)

// said is a line that a rule took.
type said struct {
	rule string
	host string // that wrote it
	pid  uint32
	peer string // address, with port where the line has one; empty if it names none
	user string
	text string

	repeats uint64 // as in "message repeated 2 times"; 0 is once
}

// joined feeds lines to a Log, a second after each other, and returns the attempts as "1 root 192.0.2.7:22".
type joined struct {
	*testing.T
	rules    *rule.Set
	log      *Log
	sec      int64
	attempts []string
}

func newJoined(t *testing.T) *joined {
	t.Helper()
	rules, err := rule.Load()
	if err != nil {
		t.Fatal(err)
	}
	j := &joined{T: t, rules: rules, sec: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC).Unix()}
	j.log = j.newLog()
	return j
}

func (j *joined) newLog() *Log {
	return NewJoiner(j.rules, true, func(a *Attempt) {
		if a.Rule.Kind == attack.SSHAccepted {
			return
		}
		peer := a.Addr.String()
		if a.Port != 0 {
			peer = netip.AddrPortFrom(a.Addr, a.Port).String()
		}
		j.attempts = append(j.attempts, fmt.Sprintf("%d %s %s", a.Count, a.User, peer))
	}).NewLog(nil)
}

func (j *joined) say(s said) {
	j.Helper()
	r, err := j.rules.Show(s.rule)
	if err != nil {
		j.Fatal(err)
	}
	j.sec++
	line := Line{Rule: r, Text: []byte(s.text + s.user), Repeats: max(s.repeats, 1), Host: Hash([]byte(s.host)), PID: s.pid, Origin: &Origin{Log: "auth.log", Observed: j.sec * 1e9}}
	line.Sec, line.Dated = j.sec, true
	line.Fields = rule.Fields{Count: 1, User: rule.Span{From: uint32(len(s.text)), To: uint32(len(line.Text))}, InvalidUser: s.rule == invalid}
	line.User = j.log.names.String([]byte(s.user))
	if peer, err := netip.ParseAddrPort(s.peer); err == nil {
		line.Fields.Source, line.Fields.Port = peer.Addr(), peer.Port()
	} else if s.peer != "" {
		line.Fields.Source = netip.MustParseAddr(s.peer)
	}
	j.log.Join(&line)
}

// restart saves the Log and goes on with one that was restored.
func (j *joined) restart(saved map[string][]byte) {
	j.Helper()
	j.log.Changes(func(key string, value []byte) {
		if saved[key] = value; value == nil {
			delete(saved, key)
		}
	})
	j.log = j.newLog()
	for key, value := range saved {
		if err := j.log.Restore(key, value); err != nil {
			j.Fatal(err)
		}
	}
}

var stories = []struct {
	name  string
	lines []said
	want  []string
}{
	{"a password that PAM, the daemon and the disconnect tell of is one attempt", []said{
		{rule: refused, pid: 7, peer: "192.0.2.7", user: "root"},
		{rule: failed, pid: 7, peer: "192.0.2.7:1000", user: "root"},
		{rule: closedBy, pid: 7, peer: "192.0.2.7:1000", user: "root"},
	}, []string{"1 root 192.0.2.7:1000"}},
	{"so are two, if there are two of them", []said{
		{rule: refused, pid: 7, peer: "192.0.2.7", user: "root"},
		{rule: failed, pid: 7, peer: "192.0.2.7:1000", user: "root"},
		{rule: failed, pid: 7, peer: "192.0.2.7:1000", user: "root"},
		{rule: closedBy, pid: 7, peer: "192.0.2.7:1000", user: "root"},
	}, []string{"1 root 192.0.2.7:1000", "1 root 192.0.2.7:1000"}},
	{"reporters spell a name in their own ways: none takes part in the joining", []said{
		{rule: pamError, pid: 7, peer: "192.0.2.7", user: "ro\\303\\266t"},
		{rule: keyboard, pid: 7, peer: "192.0.2.7:1000", user: "röt"},
		{rule: pamError, pid: 7, peer: "192.0.2.7", user: "ro\\303\\266t"},
	}, []string{"1 ro\\303\\266t 192.0.2.7", "1 ro\\303\\266t 192.0.2.7:1000"}},
	{"several doubts about a user are one, about another user another one", []said{
		{rule: refused, pid: 7, peer: "192.0.2.7", user: "root"},
		{rule: refused, pid: 7, peer: "192.0.2.7", user: "root"},
		{rule: refused, pid: 7, peer: "192.0.2.7", user: "admin"},
	}, []string{"1 root 192.0.2.7", "1 admin 192.0.2.7"}},
	{"attempt lines behind them are of the last one: the first one has counted already", []said{
		{rule: refused, pid: 7, peer: "192.0.2.7", user: "root"},
		{rule: refused, pid: 7, peer: "192.0.2.7", user: "admin"},
		{rule: failed, pid: 7, peer: "192.0.2.7:1000", user: "admin"},
		{rule: failed, pid: 7, peer: "192.0.2.7:1000", user: "admin"},
	}, []string{"1 root 192.0.2.7", "1 admin 192.0.2.7:1000", "1 admin 192.0.2.7:1000"}},
	{"a success takes back the doubt about its user", []said{
		{rule: refused, pid: 7, peer: "192.0.2.7", user: "alice"},
		{rule: accepted, pid: 7, peer: "192.0.2.7:1000", user: "alice"},
		{rule: closed, pid: 7, peer: "192.0.2.7:1000"},
	}, nil},
	{"but not that about another one", []said{
		{rule: refused, pid: 7, peer: "192.0.2.7", user: "root"},
		{rule: accepted, pid: 7, peer: "192.0.2.7:1000", user: "alice"},
	}, []string{"1 root 192.0.2.7:1000"}},
	{"a success takes back what another process of the same peer doubted", []said{
		{rule: refused, pid: 8, peer: "192.0.2.7", user: "alice"},
		{rule: accepted, pid: 7, peer: "192.0.2.7:1000", user: "alice"},
	}, nil},
	{"not what a process of another peer did", []said{
		{rule: refused, pid: 8, peer: "192.0.2.8", user: "alice"},
		{rule: accepted, pid: 7, peer: "192.0.2.7:1000", user: "alice"},
	}, []string{"1 alice 192.0.2.8"}},
	{"a name that is announced is the attempt that follows", []said{
		{rule: invalid, pid: 7, peer: "192.0.2.7:1000", user: "admin"},
		{rule: failed, pid: 7, peer: "192.0.2.7:1000", user: "admin"},
		{rule: failed, pid: 7, peer: "192.0.2.7:1000", user: "admin"},
	}, []string{"1 admin 192.0.2.7:1000", "1 admin 192.0.2.7:1000"}},
	{"so are several that syslog sums up", []said{
		{rule: invalid, pid: 7, peer: "192.0.2.7:1000", user: "admin", repeats: 2},
		{rule: failed, pid: 7, peer: "192.0.2.7:1000", user: "admin"},
		{rule: failed, pid: 7, peer: "192.0.2.7:1000", user: "admin"},
		{rule: failed, pid: 7, peer: "192.0.2.7:1000", user: "admin"},
	}, []string{"2 admin 192.0.2.7:1000", "1 admin 192.0.2.7:1000"}},
	{"a name that is announced again before its attempt is the same", []said{
		{rule: invalid, pid: 7, peer: "192.0.2.7:1000", user: "admin"},
		{rule: invalid, pid: 7, peer: "192.0.2.7:1000", user: "admin"},
		{rule: failed, pid: 7, peer: "192.0.2.7:1000", user: "admin"},
	}, []string{"1 admin 192.0.2.7:1000"}},
	{"one that was announced before a success is none that fails behind it", []said{
		{rule: invalid, pid: 7, peer: "192.0.2.7:1000", user: "admin"},
		{rule: accepted, pid: 7, peer: "192.0.2.7:1000", user: "alice"},
		{rule: failed, pid: 7, peer: "192.0.2.7:1000", user: "admin"},
	}, []string{"1 admin 192.0.2.7:1000", "1 admin 192.0.2.7:1000"}},
	{"a doubt that the disconnect proved is the attempt whose line comes behind it", []said{
		{rule: refused, pid: 7, peer: "192.0.2.7", user: "root"},
		{rule: closed, pid: 7, peer: "192.0.2.7:1000"},
		{rule: failed, pid: 7, peer: "192.0.2.7:1000", user: "root"},
		{rule: failed, pid: 7, peer: "192.0.2.7:1000", user: "root"},
	}, []string{"1 root 192.0.2.7:1000", "1 root 192.0.2.7:1000"}},
	{"so is a key", []said{
		{rule: failedKey, pid: 7, peer: "192.0.2.7:1000", user: "git"},
		{rule: closed, pid: 7, peer: "192.0.2.7:1000"},
		{rule: failed, pid: 7, peer: "192.0.2.7:1000", user: "git"},
	}, []string{"1 git 192.0.2.7:1000"}},
	{"a key counts if nothing else does", []said{
		{rule: failedKey, pid: 7, peer: "192.0.2.7:1000", user: "git"},
		{rule: failedKey, pid: 7, peer: "192.0.2.7:1000", user: "git"},
		{rule: closedBy, pid: 7, peer: "192.0.2.7:1000", user: "git"},
	}, []string{"1 git 192.0.2.7:1000"}},
	{"the address that a line lacks is the connection's", []said{
		{rule: connected, pid: 7, peer: "192.0.2.7:1000"},
		{rule: failed, pid: 7, user: "root"},
	}, []string{"1 root 192.0.2.7:1000"}},
	{"or what a later line says", []said{
		{rule: failed, pid: 7, user: "root"},
		{rule: closed, pid: 7, peer: "192.0.2.7:1000"},
	}, []string{"1 root 192.0.2.7:1000"}},
	{"those that are alike wait for it together, and what is known of them counts when another one comes", []said{
		{rule: failed, pid: 7, user: "root"},
		{rule: failed, pid: 7, user: "root"},
		{rule: failed, pid: 7, user: "admin"},
		{rule: keyboard, pid: 7, user: "admin"},
		{rule: closed, pid: 7, peer: "192.0.2.7:1000"},
	}, []string{"2 root invalid IP", "1 admin invalid IP", "1 admin 192.0.2.7:1000"}},
	{"processes of two hosts that log to one file have nothing to do with each other", []said{
		{rule: refused, pid: 7, peer: "192.0.2.7", user: "root", host: "a"},
		{rule: accepted, pid: 7, peer: "192.0.2.7:1000", user: "root", host: "b"},
	}, []string{"1 root 192.0.2.7"}},
	{"a process number that is used again is another connection, also from the same address", []said{
		{rule: closedBy, pid: 7, peer: "192.0.2.7:1000", user: "root"},
		{rule: closedBy, pid: 7, peer: "192.0.2.7:1001", user: "root"},
	}, []string{"1 root 192.0.2.7:1000", "1 root 192.0.2.7:1001"}},
	{"and from another one", []said{
		{rule: closedBy, pid: 7, peer: "192.0.2.7", user: "root"},
		{rule: closedBy, pid: 7, peer: "192.0.2.8", user: "root"},
	}, []string{"1 root 192.0.2.7", "1 root 192.0.2.8"}},
	{"what a doubt said is not lost when its process number is used again", []said{
		{rule: refused, pid: 7, peer: "192.0.2.7", user: "root"},
		{rule: failed, pid: 7, peer: "192.0.2.8:1001", user: "admin"},
	}, []string{"1 root 192.0.2.7", "1 admin 192.0.2.8:1001"}},
	{"another address in a line that names the connection's peer is of the client's making", []said{
		{rule: connected, pid: 7, peer: "192.0.2.7:1000"},
		{rule: failed, pid: 7, peer: "203.0.113.66:22", user: "x",
			text: "Failed password for x from 192.0.2.7 port 1000 ssh2: x from 203.0.113.66 port 22"},
	}, []string{"1 x 192.0.2.7:1000"}},
	{"so it is of one that comes from the first port", []said{
		{rule: connected, pid: 7, peer: "192.0.2.7:1"},
		{rule: failed, pid: 7, peer: "203.0.113.66:22", user: "x",
			text: "Failed password for x from 192.0.2.7 port 1 ssh2: x from 203.0.113.66 port 22"},
	}, []string{"1 x 192.0.2.7:1"}},
	{"in one that does not, it is another connection's", []said{
		{rule: connected, pid: 7, peer: "192.0.2.7:1000"},
		{rule: failed, pid: 7, peer: "203.0.113.66:22", user: "x", text: "Failed password for x from 203.0.113.66 port 22 ssh2"},
	}, []string{"1 x 203.0.113.66:22"}},
	{"who comes and goes is a prober, who was let in before is none", []said{
		{rule: closed, pid: 7, peer: "192.0.2.7:1000"},
		{rule: accepted, pid: 8, peer: "192.0.2.8:1000", user: "alice"},
		{rule: closed, pid: 9, peer: "192.0.2.8:1000"},
	}, []string{"1  192.0.2.7:1000"}},
	{"where processes serve many, the address joins", []said{
		{rule: ftpPAM, pid: 7, peer: "192.0.2.7", user: "root"},
		{rule: ftpWorker, pid: 8, peer: "192.0.2.7", user: "root", host: "the daemon's own log names none"},
		{rule: ftpPAM, pid: 7, peer: "192.0.2.8", user: "root"},
	}, []string{"1 root 192.0.2.7", "1 root 192.0.2.8"}},
}

// What the lines of one connection mean together, whether the agent was restarted between them or not.
func TestStories(t *testing.T) {
	t.Parallel()
	for _, story := range stories {
		for restartBehind := range len(story.lines) {
			j := newJoined(t)
			for i, line := range story.lines {
				j.say(line)
				if i+1 == restartBehind { // behind none the first time
					j.restart(map[string][]byte{})
				}
			}
			j.log.Finish()
			if !slices.Equal(j.attempts, story.want) {
				t.Errorf("%s:\n got %q\nwant %q (restarted behind line %d)", story.name, j.attempts, story.want, restartBehind)
			}
			if j.log.Len() != 0 {
				t.Errorf("%s: %d connections are remembered at the end", story.name, j.log.Len())
			}
		}
	}
}

// Time proves a doubt that nothing took back, and a process number is another connection's once the old
// one is long settled.
func TestTime(t *testing.T) {
	t.Parallel()
	j := newJoined(t)
	j.say(said{rule: refused, pid: 7, peer: "192.0.2.7", user: "root"})
	if j.log.Tick(j.sec + timeouts[doubted]); j.attempts != nil {
		t.Fatalf("%q before its time", j.attempts)
	}
	if j.log.Tick(j.sec + timeouts[doubted] + 1); len(j.attempts) != 1 {
		t.Fatalf("%q, want the doubt", j.attempts)
	}
	j.say(said{rule: refused, pid: 8, peer: "192.0.2.8", user: "root"})
	j.sec += timeouts[doubted]
	j.say(said{rule: connected, pid: 9, peer: "192.0.2.9:1000"})
	if len(j.attempts) != 2 {
		t.Fatalf("%q, want the doubt that a later line's time proves", j.attempts)
	}
	j.sec += timeouts[settled] + 1
	j.say(said{rule: closedBy, pid: 7, peer: "192.0.2.7", user: "root"})
	if len(j.attempts) != 3 {
		t.Errorf("%q, want another one from a connection a quarter of an hour later", j.attempts)
	}
	j.sec -= backwards + 60 // the clock was set back: processes' numbers start anew
	j.say(said{rule: closedBy, pid: 7, peer: "192.0.2.7", user: "root"})
	if len(j.attempts) != 4 {
		t.Errorf("%q, want another one behind a clock that was set back", j.attempts)
	}
}

// However the lines of hosts whose clocks differ come, each line's time ends what is too old by it, and nothing else.
func TestEachLineEndsWhatIsTooOld(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	j := newJoined(t)
	latest := j.sec
	for range 5_000 {
		j.sec = latest - random.Int64N(backwards)*random.Int64N(2) + random.Int64N(60)
		latest = max(latest, j.sec+1)
		j.say(said{rule: []string{refused, connected, failed, closed, accepted}[random.IntN(5)], pid: random.Uint32N(40), peer: "192.0.2.7:1000", user: "root"})
		before := j.log.conns.lengths
		oldest := map[listID]int64{}
		for list := range lists {
			if c := j.log.conns.oldest(list); c != nil {
				oldest[list] = c.seen
			}
		}
		latest++
		j.log.advance(latest)
		for list := range lists {
			if c := j.log.conns.oldest(list); c != nil && c.seen < latest-timeouts[list] {
				t.Fatalf("one of list %d is kept %d s", list, latest-c.seen)
			}
			if kept := j.log.conns.lengths[list] == before[list]; before[list] > 0 && kept != (oldest[list] >= latest-timeouts[list]) {
				t.Fatalf("the oldest of list %d after %d s: kept %v", list, latest-oldest[list], kept)
			}
		}
	}
}

// Connections beyond the bound are kept in a summary: what was counted on them counts once, what was
// pending counts when they go.
func TestEviction(t *testing.T) {
	t.Parallel()
	const beyond = 100
	for _, restarted := range []bool{false, true} {
		j := newJoined(t)
		saved := map[string][]byte{}
		peer := func(i int) string {
			return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 1000).String()
		}
		for i := range MaxConnections + beyond {
			j.sec-- // all within one second
			if i%2 == 0 {
				j.say(said{rule: failed, pid: uint32(i), peer: peer(i), user: "root"})
			} else {
				j.say(said{rule: closedBy, pid: uint32(i), peer: peer(i), user: "root"})
			}
		}
		if j.log.Len() > MaxConnections || j.log.Evicted() != beyond || len(j.attempts) != MaxConnections+beyond {
			t.Fatalf("%d connections, %d evicted, %d attempts", j.log.Len(), j.log.Evicted(), len(j.attempts))
		}
		if restarted {
			j.restart(saved)
		}
		j.attempts = nil
		for i := range MaxConnections + beyond { // each says goodbye
			j.sec--
			j.say(said{rule: closedBy, pid: uint32(i), peer: peer(i), user: "root"})
		}
		if len(j.attempts) != 0 {
			t.Errorf("restarted %v: %d attempts count again, the first %q", restarted, len(j.attempts), j.attempts[0])
		}
	}
}

// So many sessions are remembered as there may be, and then the oldest is forgotten: a connection from
// there is of a prober again.
func TestSessionsAreBounded(t *testing.T) {
	t.Parallel()
	j := newJoined(t)
	peer := func(i int) string {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 1000).String()
	}
	for i := range maxSessions + 1 {
		j.sec-- // all within one second
		j.say(said{rule: accepted, pid: uint32(1 + i), peer: peer(i), user: "alice"})
	}
	for i := range maxSessions + 1 { // another process serves the session, and says that it broke
		j.sec--
		j.say(said{rule: closed, pid: uint32(5000 + i), peer: peer(i)})
	}
	if want := []string{"1  " + peer(0)}; !slices.Equal(j.attempts, want) {
		t.Errorf("got %q, want %q", j.attempts, want)
	}
}

// The place of a connection that is forgotten is for the next one.
func TestPlacesAreUsedAgain(t *testing.T) {
	t.Parallel()
	table := newTable(newArena())
	for id := range uint64(100) {
		table.add(key{id: id})
		table.remove(table.add(key{id: 1000 + id}))
	}
	if table.used != 100 || len(table.entries) != 101 {
		t.Errorf("%d connections take %d places, want 100 and one", table.used, len(table.entries))
	}
}

func TestWhatIsPendingCountsWhenItIsEvicted(t *testing.T) {
	t.Parallel()
	j := newJoined(t)
	for i := range MaxConnections + 1 {
		j.sec--
		j.say(said{rule: refused, pid: uint32(1 + i), peer: "192.0.2.7", user: fmt.Sprint("user", i)})
	}
	want := []string{"1 user0 192.0.2.7"}
	if !slices.Equal(j.attempts, want) {
		t.Fatalf("got %q, want %q", j.attempts, want)
	}
	j.sec--
	j.say(said{rule: failed, pid: 1, peer: "192.0.2.7:1000", user: "user0"}) // the daemon says what the module did
	if !slices.Contains(j.attempts[1:], "1 user1 192.0.2.7") || len(j.attempts) != 2 {
		t.Errorf("got %q, want no other attempt than that of the one that had to go", j.attempts)
	}
}

// What waits for a rule that an update took away is counted by no line any more; its connection is remembered for as
// long as one that everything is said of, so that its last lines open no other.
func TestRestoreWithoutTheRule(t *testing.T) {
	t.Parallel()
	j := newJoined(t)
	j.say(said{rule: refused, pid: 7, peer: "192.0.2.7", user: "root"})
	saved := map[string][]byte{}
	j.log.Changes(func(key string, value []byte) {
		saved[key] = bytes.Replace(value, []byte(refused), []byte(strings.Repeat("x", len(refused))), 1)
	})
	j.log = j.newLog()
	j.restart(saved)
	for _, test := range []struct{ minutes, want int }{{10, 1}, {20, 0}} {
		if j.log.Tick(j.sec + int64(test.minutes)*60); j.log.Len() != test.want {
			t.Errorf("after %d minutes %d connections are remembered, want %d", test.minutes, j.log.Len(), test.want)
		}
	}
	if len(j.attempts) > 0 {
		t.Errorf("%q were counted", j.attempts)
	}
}

// A damaged value is refused and changes nothing.
func TestRestoreRefusesDamage(t *testing.T) {
	t.Parallel()
	j := newJoined(t)
	j.say(said{rule: refused, pid: 7, peer: "192.0.2.7", user: "root"})
	j.log.Changes(func(key string, value []byte) {
		for cut := range value {
			log := j.newLog()
			if err := log.Restore(key, value[:cut]); err == nil && cut > 0 && key != keyClock {
				t.Errorf("%d of %d bytes of %q were taken", cut, len(value), key)
			}
			if log.Len() != 0 {
				t.Errorf("%d connections of a damaged value", log.Len())
			}
		}
		for _, name := range []string{"", "clocks", key + "00"} {
			if err := j.newLog().Restore(name, value); err == nil {
				t.Errorf("%q was taken for a key", name)
			}
		}
	})
}
