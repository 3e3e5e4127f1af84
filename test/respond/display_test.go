package respond

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pialert/pialert/packaging/demo/program"
	"github.com/pialert/pialert/pkg/attack"
)

// A ban and its end are events like any other: the display counts them, their lamp sweeps over the Blinkt!, its page
// shows them, and its notices tell of them.
func TestADisplaySeesBans(t *testing.T) {
	t.Parallel()
	s := boot(t, "  mode: enforce\n")
	dir := filepath.Join(s.dir, "desk")
	s.must(os.Mkdir(dir, 0o755))
	pair, err := program.LayOut(dir, programs, program.Settings{
		Listen: "127.0.0.1:7483", Page: true,
		Display: `history: {interval: 10ms}
look: {idle: "off"}
lamps:
  - {name: attempts, kinds: [ssh], color: red, led: 0}
  - {name: bans, kinds: [ban, unban], color: blue, led: 7}
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
	waveform := filepath.Join(dir, "pins.vcd")
	display, err := pair.StartDisplay("--driver", "none", "--vcd", waveform)
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
	s.must(display.Stop(s.ctx))
	if lit := blue(t, waveform); len(lit) != 8 {
		t.Errorf("the lamp of bans swept over the LEDs %v, want all", lit)
	}
}

// blue returns which LEDs of the Blinkt! were blue at some time, as sigrok reads the pins: a start of 32 bits, for each of
// eight LEDs three ones and its brightness, blue, green and red, and an end of 36 bits, by fours.
func blue(t *testing.T, waveform string) map[int]bool {
	t.Helper()
	out, err := exec.Command("sigrok-cli", "-I", "vcd:compress=1000", "-i", waveform,
		"-P", "spi:clk=blinkt_clk:mosi=blinkt_dat:wordsize=4", "-A", "spi=mosi-data").Output()
	if err != nil {
		t.Fatal(err)
	}
	var nibbles []uint64
	for line := range strings.Lines(string(out)) {
		_, digit, _ := strings.Cut(strings.TrimSpace(line), ": ")
		n, err := strconv.ParseUint(digit, 16, 4)
		if err != nil {
			t.Fatalf("sigrok says %q", line)
		}
		nibbles = append(nibbles, n)
	}
	const start, led, end = 8, 8, 9
	lit := map[int]bool{}
	for ; len(nibbles) >= start+8*led+end; nibbles = nibbles[start+8*led+end:] {
		for i := range 8 {
			color := func(at int) uint64 { return nibbles[start+led*i+2*at]<<4 | nibbles[start+led*i+2*at+1] }
			if color(1) > 2*(color(2)+color(3)) {
				lit[i] = true
			}
		}
	}
	return lit
}
