package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/pialert/pialert/packaging/demo/program"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/test/daemon"
)

// readers is a rule of a user's own, about people who are welcome.
const readers = `type: access
rules:
  - id: blog
    kind: visit
    status: [200]
    pattern: '^/(?:\?|$)'
    match: ['GET / 200', 'GET /?from=feed 200']
    no_match: ['GET /favicon.ico 200', 'GET / 404']
`

// readersLamp is a lamp that counts them, beside one for all attacks.
const readersLamp = `lamps:
  - {name: readers, kinds: [visit], color: white, led: 7}
  - {name: attacks, color: red, led: 0}
`

// TestVisits counts real visits of a real Apache on a lamp of their own; they are no attacks.
func TestVisits(t *testing.T) {
	t.Parallel()
	m := boot(t)
	s := layOut(t, program.Settings{Logs: following(m, "apache2/access.log"), Display: readersLamp})
	s.must(os.Mkdir(filepath.Join(s.Dir, "rules.d"), 0o755))
	s.must(os.WriteFile(filepath.Join(s.Dir, "rules.d", "readers.yaml"), []byte(readers), 0o644))
	s.startAgent()
	s.startDisplay()
	s.must(s.Join(s.ctx))
	s.must(m.StartApache(s.ctx, daemon.Apache{}))

	for n := range 5 {
		_, err := m.Get(s.ctx, visitor, attack.Visit, fmt.Sprintf("/?page=%d", n))
		s.must(err)
	}
	s.did(m.Get(s.ctx, visitor, 0, "/favicon.ico"))
	s.did(m.Get(s.ctx, mallory, attack.HTTPProbe, "/.env"))
	s.truth[attack.Visit] = 5
	s.counted()

	status, err := s.DisplayStatus(s.ctx)
	s.must(err)
	for _, lamp := range status.Lamps {
		if want := map[string]uint64{"readers": 5, "attacks": 1}[lamp.Name]; lamp.Total != want {
			t.Errorf("the lamp %s counts %d, want %d", lamp.Name, lamp.Total, want)
		}
	}
	if status.Total != 1 {
		t.Errorf("the grand total is %d, want the one attack", status.Total)
	}
}
