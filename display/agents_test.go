package main

import (
	"reflect"
	"testing"

	"github.com/pialert/pialert/display/internal/lamp"
	"github.com/pialert/pialert/pkg/attack"
)

// The totals of the agents add up to the grand total, also when one of them is no longer paired.
func TestTotalsOfAgents(t *testing.T) {
	t.Parallel()
	got := withTotals([]AgentStatus{{Name: "alpha", Connected: true}, {Name: "quiet"}}, []lamp.Tally{
		{Agent: "alpha", Kind: attack.SSHLogin, Count: 5},
		{Agent: "alpha", Kind: attack.HTTPFlood, Count: 700}, // no attempts
		{Agent: "former", Kind: attack.XMLRPC, Count: 2},
		{Agent: "former", Kind: attack.SSHProbe, Count: 1},
	})
	want := []AgentStatus{{Name: "alpha", Connected: true, Total: 5}, {Name: "quiet"}, {Name: "former", Former: true, Total: 3}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
