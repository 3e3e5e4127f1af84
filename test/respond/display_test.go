package respond

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pialert/pialert/packaging/demo/program"
	"github.com/pialert/pialert/pkg/attack"
)

// A ban and its end are events like any other: the display counts them, its page shows them, and its notices
// tell of them.
func TestADisplaySeesBans(t *testing.T) {
	t.Parallel()
	s := boot(t, "  mode: enforce\n")
	dir := filepath.Join(s.dir, "desk")
	s.must(os.Mkdir(dir, 0o755))
	pair, err := program.LayOut(dir, programs, program.Settings{
		Listen: "127.0.0.1:7483", Page: true,
		Display: `history: {interval: 10ms}
notices:
  channels: [{name: hook, webhook: {url: "http://127.0.0.1:1/"}}]
  rules: [{to: [hook], when: {kinds: [ban, unban]}}]
  at_most: 100 per 1m
`,
	})
	s.must(err)
	pair.AgentConfig = s.config // that runs already
	pair.Command = func(path string, args ...string) *exec.Cmd {
		return exec.Command("ip", append([]string{"netns", "exec", s.netns, path}, args...)...)
	}
	display, err := pair.StartDisplay()
	s.must(err)
	t.Cleanup(func() {
		display.Kill()
		if t.Failed() {
			t.Logf("the display wrote:\n%s", display.Stderr)
		}
	})
	s.must(pair.Join(s.ctx))
	counted := func(bans, unbans uint64) {
		t.Helper()
		s.poll(func() error {
			status, err := pair.DisplayStatus(s.ctx)
			if err == nil && (status.Kinds[attack.Ban] != bans || status.Kinds[attack.Unban] != unbans) {
				err = fmt.Errorf("the display counts %v, want %d bans and %d ends", status.Kinds, bans, unbans)
			}
			return err
		})
	}
	s.attack("127.0.0.2", "root", 5)
	s.attack("2a00:1:2:3::7", "root", 5)
	counted(2, 0)
	_, err = s.command("unban", "127.0.0.2")
	s.must(err)
	counted(2, 1)
	if _, err := s.command("ban", "127.9.0.0/24"); err != nil {
		t.Error(err)
	}
	counted(3, 1)

	events, err := pair.Display(s.ctx, "events", "--kind", "ban", "--format", "json")
	s.must(err)
	for _, want := range []string{`"jail":"pialert"`, "127.0.0.2", "2a00:1:2:3::/64", "127.9.0.0/24"} {
		if !strings.Contains(events, want) {
			t.Errorf("events prints\n%s\nwithout %s", events, want)
		}
	}
	if page := s.inside("curl -sf --max-time 20 " + pair.Page + "/source/127.0.0.2"); !strings.Contains(page, ">ban<") || !strings.Contains(page, ">unban<") {
		t.Errorf("the page of who was banned shows no ban and unban:\n%s", page)
	}
	s.poll(func() error {
		told, err := pair.Display(s.ctx, "notices", "list")
		if err == nil && !strings.Contains(told, "ban") {
			err = errors.New("no notice tells of a ban: " + told)
		}
		return err
	})
	if status, err := pair.DisplayStatus(s.ctx); err != nil || status.Total != 10 {
		t.Errorf("%d attempts are counted, %v; want 10: a ban is none", status.Total, err)
	}
}
