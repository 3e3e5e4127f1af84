package main

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/lamp"
	"github.com/pialert/pialert/pkg/attack"
)

// What a lamp counts of one machine stands under it in charts and on the page, and is corrected as that
// machine's.
func TestTheLampOfOneMachine(t *testing.T) {
	t.Parallel()
	d := testDaemon(t, func(c *Config) {
		c.Lamps = []lamp.Config{{Name: "router", Color: "red", LED: 0, Hosts: []string{"router"}}, {Name: "rest", Color: "green", LED: 6}}
	})
	done := make(chan error, 1)
	now := time.Now()
	var events []attack.Event
	for i, host := range []string{"router", "nas", "switch", ""} {
		events = append(events, attack.Event{
			Kind: attack.SSHLogin, Severity: attack.Medium, Rule: "sshd-failed-password", Observed: now, Count: uint64(1 + 10*i),
			SourceIP: netip.MustParseAddr("192.0.2.1"), User: "root", Detail: attack.SSH{Method: "password"}, Host: host,
		})
		d.screen.lamps.Add("web", &events[i], now)
	}
	if err := d.history.Append(t.Context(), "web", 1, 1, events, func(_ uint64, err error) { done <- err }); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	expect := func(want [][]uint64) {
		t.Helper()
		bounds := []time.Time{now.Add(-24 * time.Hour).Truncate(time.Hour), now.Add(24 * time.Hour).Truncate(time.Hour)}
		lamps, all, err := lampCounts{d.history, d.screen.lamps, 2}.Between(t.Context(), bounds)
		if got := append(lamps, all); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("by lamp: %v, %v, want %v", got, err, want)
		}
	}
	expect([][]uint64{{1}, {63}, {64}})
	state, err := d.pageState(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]int{"router": 0, "nas": 1, "": 1} {
		if got, counts := state.Lamp("web", attack.SSHLogin, host, ""); got != want || !counts {
			t.Errorf("the page's lamp of %q is %d, %v, want %d", host, got, counts, want)
		}
	}
	for _, test := range []struct {
		request correctRequest
		want    correctAnswer
		err     string
	}{
		{request: correctRequest{What: "router", By: -1}, want: correctAnswer{Kind: "ssh_login", Host: "router"}},
		{request: correctRequest{What: "router", By: -1}, err: "has counted nothing"},
		{request: correctRequest{What: "rest", Host: "nas", By: -2}, want: correctAnswer{Kind: "ssh_login", Host: "nas", Total: 9}},
		{request: correctRequest{What: "ssh_login", Host: "switch", By: -30}, err: "21 were counted"},
		{request: correctRequest{What: "ssh_login", Host: "printer", By: 1}, err: "nothing was counted"},
	} {
		test.request.Agent, test.request.Reason = "web", "a test"
		got, err := d.correct(t.Context(), test.request)
		if got != test.want || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%+v: %+v, %v, want %+v, %s", test.request, got, err, test.want, test.err)
		}
	}
	expect([][]uint64{{0}, {61}, {61}})
}
