package notices

import (
	"bufio"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/pialert/pialert/packaging/demo/program"
)

// hook starts a webhook that takes everything, and returns a channel's configuration for it.
func hook(t *testing.T, name string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	return fmt.Sprintf("    - {name: %s, webhook: {url: %q}}\n", name, server.URL)
}

// untilSaid waits until messages begin with each of some texts, by one channel, and says how many begin so.
func (h *home) untilSaid(channel string, wants ...string) {
	h.t.Helper()
	h.must(program.Poll(h.ctx, func() error {
		all, err := h.outbox()
		if err != nil {
			return err
		}
		for _, want := range wants {
			if !slices.ContainsFunc(all, func(e entry) bool { return e.Channel == channel && strings.HasPrefix(e.Subject, want) }) {
				return fmt.Errorf("nothing says %q yet: %+v", want, all)
			}
		}
		return nil
	}))
}

// says is how often messages of a channel begin with a text.
func (h *home) says(channel, text string) (n int) {
	h.t.Helper()
	all, err := h.outbox()
	h.must(err)
	for _, one := range all {
		if one.Channel == channel && strings.HasPrefix(one.Subject, text) {
			n++
		}
	}
	return n
}

func (h *home) write(format string, args ...any) {
	h.t.Helper()
	attempts++
	_, err := fmt.Fprintf(h.log, "%s web1 sshd[%d]: %s\n", time.Now().Format(time.RFC3339), attempts, fmt.Sprintf(format, args...))
	h.must(err)
}

// Who falls silent is told of, and who is back: the agent, a log of which no line comes, a log that cannot be read,
// and lights that are not there. A display that is started anew meanwhile says nothing twice.
func TestSilence(t *testing.T) {
	t.Parallel()
	rules := `  rules:
    - {to: [all], when: {silent: 1m}}
    - {to: [log], when: {silent: 1m, logs: ["*"]}}
  at_most: "10 per 1s"
`
	h := settleWith(t, program.Settings{Driver: "blinkt", Display: "notices:\n  channels:\n" + hook(t, "all") + hook(t, "log") + rules}, nil)
	h.attack("root", 1)
	name := h.path("auth.log") + " of vps"
	h.untilSaid("log", name+" has been silent for 1 minute")
	h.untilSaid("all", "the LED strip did not work for 1 minute")
	h.attack("root", 1)
	h.untilSaid("log", name+" is back again")
	h.agent.Kill()
	h.untilSaid("all", "vps has been silent for 1 minute")
	h.display.Kill()
	h.start()
	h.untilSaid("all", "vps has been silent for 1 minute") // the outbox is read again
	h.startAgent()
	h.untilSaid("all", "vps is back again")
	for text, want := range map[string]int{"vps has been silent": 1, "vps is back again": 1} {
		if got := h.says("all", text); got != want {
			t.Errorf("%d messages begin with %q, want %d", got, text, want)
		}
	}
	if got := h.says("log", "vps"); got != 0 {
		t.Errorf("%d messages about the agent go by the rule of logs", got)
	}
}

// Each rise is told once for what it is counted by, and the first success of a network once.
func TestRisesAndFirsts(t *testing.T) {
	t.Parallel()
	channels, rules := "", ""
	for _, by := range []string{"lamp", "agent", "network", "kind"} {
		channels += hook(t, by)
		rules += fmt.Sprintf("    - {to: [%[1]s], when: {attempts: 20, within: 10m, by: %[1]s}}\n", by)
	}
	channels += hook(t, "first")
	rules += "    - {to: [first], when: {first: true}}\n  at_most: 10 per 1s\n"
	h := settle(t, "  channels:\n"+channels+"  rules:\n"+rules, nil)
	h.attack("root", 25)
	for by, want := range map[string]string{"lamp": "lamp ssh-a", "agent": "agent vps", "network": "network 203.0.113.0/24", "kind": "kind ssh_login"} {
		h.must(program.Poll(h.ctx, func() error {
			all, err := h.outbox()
			if err == nil && !slices.ContainsFunc(all, func(e entry) bool { return e.Channel == by }) {
				err = fmt.Errorf("no rise by %s yet", by)
			}
			return err
		}))
		_, body := h.lines(by)
		if n := strings.Count(body, "attempts within 10 minutes, "+want); n != 1 {
			t.Errorf("a rise by %s is told %d times: %s", by, n, body)
		}
	}
	for _, address := range []string{"198.51.100.1", "198.51.100.2", "192.0.2.1"} {
		h.write("Accepted password for root from %s port 40000 ssh2", address)
	}
	h.untilSaid("first", "2 SSH logins on vps")
}

// lines returns how many messages a channel has, and all of what they say, from the history.
func (h *home) lines(channel string) (n int, text string) {
	h.t.Helper()
	db, err := sql.Open("sqlite", "file:"+h.path("display/history.db")+"?mode=ro&_pragma=busy_timeout(5000)")
	h.must(err)
	defer db.Close()
	rows, err := db.Query(`SELECT message FROM notices WHERE channel = ?`, channel)
	h.must(err)
	defer rows.Close()
	for ; rows.Next(); n++ {
		var message []byte
		h.must(rows.Scan(&message))
		text += string(message) + "\n"
	}
	h.must(rows.Err())
	return n, text
}

// What the agent had to drop is told with its number.
func TestDrops(t *testing.T) {
	t.Parallel()
	h := settleWith(t, program.Settings{
		Agent: "spool: {max_bytes: 1MiB}\n",
		Display: "notices:\n  channels:\n" + hook(t, "drops") + hook(t, "mail") + `  rules:
    - {to: [drops], when: {dropped: true}}
    - {to: [mail], when: {families: [ssh]}}
`}, nil)
	h.attack("root", 1)
	h.untilSaid("mail", "1 failed SSH login") // from here on it is remembered that nothing was dropped before
	h.display.Kill()
	lines := uint64(1)
	h.must(program.Poll(h.ctx, func() error { // until so much was found that some of it had to be dropped
		for range 10_000 {
			_, err := fmt.Fprintf(h.log, "%s web1 sshd[77]: Failed password for user%d from 203.0.%d.%d port 40000 ssh2\n",
				time.Now().Format(time.RFC3339), lines, lines/256%256, lines%256)
			h.must(err)
			lines++
		}
		status, err := h.untilRead(lines)
		if err == nil && status.Spool.Dropped == 0 {
			err = fmt.Errorf("nothing was dropped of %d attempts", lines)
		}
		return err
	}))
	h.start()
	h.untilSaid("drops", "vps had to drop events of ")
	all, err := h.outbox()
	h.must(err)
	var told uint64
	for _, one := range all {
		if one.Channel == "drops" {
			_, err := fmt.Sscanf(one.Subject, "vps had to drop events of %d attempts", &told)
			h.must(err)
		}
	}
	h.must(program.Poll(h.ctx, func() error {
		status, err := h.DisplayStatus(h.ctx)
		if err == nil && status.Total+told != lines {
			err = fmt.Errorf("%d attempts are counted and %d told as dropped, of %d", status.Total, told, lines)
		}
		return err
	}))
}

// untilRead waits until the agent has read so many lines of its log.
func (h *home) untilRead(lines uint64) (status program.AgentStatus, err error) {
	err = program.Poll(h.ctx, func() (err error) {
		if status, err = h.AgentStatus(h.ctx); err == nil && status.Sources[0].Lines < lines {
			err = fmt.Errorf("%d of %d lines are read", status.Sources[0].Lines, lines)
		}
		return err
	})
	return status, err
}

// untilLight waits until the LED of a lamp looks as wanted, "rrggbb", on the page, which gets the pictures of the device.
func (h *home) untilLight(led int, wanted func(rgb string) bool) {
	h.t.Helper()
	request, err := http.NewRequestWithContext(h.ctx, http.MethodGet, h.Page+"/live", nil)
	h.must(err)
	answer, err := http.DefaultClient.Do(request)
	h.must(err)
	defer answer.Body.Close()
	for lines := bufio.NewScanner(answer.Body); ; {
		if !lines.Scan() {
			h.t.Fatalf("the LED never looked as wanted: %v", lines.Err())
		}
		var picture struct{ Lights string }
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && json.Unmarshal([]byte(data), &picture) == nil &&
			len(picture.Lights) >= 6*(led+1) && wanted(picture.Lights[6*led:6*(led+1)]) {
			return
		}
	}
}

// A channel that has failed for an hour is told by another one, stands in status, and its lamp breathes white until it works
// again, which is told, too.
func TestAChannelFails(t *testing.T) {
	t.Parallel()
	broken := make(chan bool, 1)
	broken <- true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		now := <-broken
		broken <- now
		if now {
			http.Error(w, "wrong token", http.StatusForbidden)
		}
	}))
	defer server.Close()
	h := settleWith(t, program.Settings{Page: true, Display: "lamps:\n  - {name: faults, kinds: [fault], color: orange, led: 7}\nnotices:\n  channels:\n" + hook(t, "good") +
		fmt.Sprintf("    - {name: bad, webhook: {url: %q}}\n", server.URL) + "  rules:\n    - {to: [bad], when: {families: [ssh]}}\n  at_most: 10 per 1s\n"}, nil)
	h.attack("root", 1)
	if all := h.await(); len(all) != 1 || all[0].State != "failed" {
		t.Fatalf("outbox %+v", all)
	}
	h.display.Kill()
	db, err := sql.Open("sqlite", h.path("display/history.db"))
	h.must(err)
	_, err = db.Exec(`UPDATE notices SET created = created - ?, changed = changed - ?`, time.Hour, time.Hour) // as if it were an hour ago
	h.must(err)
	h.must(db.Close())
	h.start()
	h.must(h.Up(h.ctx))
	h.untilSaid("good", "notices by bad have failed for an hour")
	out, err := h.Display(h.ctx, "status")
	if err != nil || !strings.Contains(out, "problem: notices by bad have failed for an hour") {
		t.Errorf("status says %s, %v", out, err)
	}
	h.untilLight(7, func(rgb string) bool { return rgb != "000000" && rgb == strings.Repeat(rgb[:2], 3) })
	<-broken
	broken <- false
	h.attack("root", 1)
	h.untilSaid("good", "notices by bad arrive again")
	h.untilLight(7, func(rgb string) bool { return rgb == "000000" })
}
