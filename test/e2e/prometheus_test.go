package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pialert/pialert/packaging/demo/program"
)

// prometheus is a real one.
type prometheus struct {
	*stage
	address string
}

// ask queries its API and returns what it calls data.
func (p *prometheus) ask(path string, into any) error {
	answer, err := p.fetch("http://" + p.address + path)
	if err != nil {
		return err
	}
	var wrapped struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.Unmarshal(answer, &wrapped); err != nil {
		return err
	}
	if wrapped.Status != "success" {
		return fmt.Errorf("%s: %s", path, wrapped.Error)
	}
	return json.Unmarshal(wrapped.Data, into)
}

func (s *stage) fetch(url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(s.ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, answer.Status)
	}
	return io.ReadAll(answer.Body)
}

// expressions are what the dashboard asks for, by the titles of its panels.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			all[panel.Title] = target.Expr
		}
	}
	if len(all) < 10 {
		t.Fatalf("the dashboard has %d queries", len(all))
	}
	return all
}

// TestPrometheus lets a real Prometheus judge the metrics, load the alert rules that are shipped, and
// answer every query of the dashboard.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	_, logs := newLogbook(t)
	free := func() string {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		return listener.Addr().String()
	}
	agent, display := free(), free()
	s := start(t, program.Settings{Logs: logs, Driver: "terminal", AgentMetrics: agent, DisplayMetrics: display})
	_, err := s.Agent(s.ctx, "fire", "ssh_login", "--source-ip", "203.0.113.5", "--counted")
	s.must(err)

	for _, address := range []string{agent, display} {
		var served []byte
		s.must(program.Poll(s.ctx, func() (err error) {
			if served, err = s.fetch("http://" + address + "/metrics"); err == nil && !regexp.MustCompile(`(?m)^pialert_(events|attempts)_total\{kind="ssh_login"\} 1$`).Match(served) {
				err = fmt.Errorf("the event is not in the metrics:\n%s", served)
			}
			return err
		}))
		check := exec.CommandContext(s.ctx, "promtool", "check", "metrics")
		check.Stdin = bytes.NewReader(served)
		if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("promtool says of %s: %v\n%s", address, err, out)
		}
		if !strings.Contains(string(served), "\npialert_build_info{goversion=\"go") {
			t.Errorf("%s does not say what was built", address)
		}
	}

	rules, err := filepath.Abs("../../docs/alerts.yaml")
	s.must(err)
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yaml")
	s.must(os.WriteFile(config, fmt.Appendf(nil, "global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%q]\n"+
		"scrape_configs:\n- job_name: pialert\n  static_configs: [{targets: [%q, %q]}]\n", rules, agent, display), 0o644))
	p := &prometheus{s, free()}
	running, err := program.Start(exec.Command("prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+p.address, "--log.level=warn"))
	s.must(err)
	s.watch(running)

	s.must(program.Poll(s.ctx, func() error {
		var loaded struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError string }
			}
		}
		if err := p.ask("/api/v1/rules", &loaded); err != nil {
			return err
		}
		n := 0
		for _, group := range loaded.Groups {
			for _, rule := range group.Rules {
				if n++; rule.Health != "ok" {
					return fmt.Errorf("rule %s is %s: %s", rule.Name, rule.Health, rule.LastError)
				}
			}
		}
		if n < 5 {
			return fmt.Errorf("%d rules are loaded", n)
		}
		return nil
	}))
	for title, expression := range expressions(t) {
		s.must(program.Poll(s.ctx, func() error { // some take two scrapes
			var found struct{ Result []json.RawMessage }
			err := p.ask("/api/v1/query?query="+url.QueryEscape(expression), &found)
			if err == nil && len(found.Result) == 0 {
				err = fmt.Errorf("%q, %s, finds nothing", title, expression)
			}
			return err
		}))
	}
}
