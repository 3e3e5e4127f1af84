package lamp_test

import (
	"fmt"
	"testing"

	"github.com/pialert/pialert/display/internal/lamp"
	"github.com/pialert/pialert/pkg/attack"
)

// Whatever servers there are, the lamps can be used as they are, and every server's SSH has one.
func TestSuggest(t *testing.T) {
	t.Parallel()
	for n := range 10 {
		var agents []string
		for i := range n {
			agents = append(agents, fmt.Sprintf("web%d.example", i))
		}
		lamps := lamp.Suggest(agents, "today")
		if err := lamp.Validate(lamps); err != nil {
			t.Errorf("for %d servers: %v", n, err)
		}
		table, err := lamp.New(lamps, nil)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[int]bool{}
		for i, agent := range agents {
			at, _ := table.Route(agent, attack.SSHLogin)
			if at < 0 || i < 5 && seen[at] || lamps[at].Count != "today" {
				t.Errorf("for %d servers, SSH of %s goes to lamp %d", n, agent, at)
			}
			seen[at] = true
		}
	}
}
