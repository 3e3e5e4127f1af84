package detect

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/pialert/pialert/agent/internal/header"
	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/pkg/attack"
)

// Load is [rule.Load], and runs the examples of the user's rules: one that fails is an error. Those
// of the built-in rules are left out, since this package's tests have run them.
func Load(dirs ...fs.FS) (*rule.Set, error) { return tested(rule.Load(dirs...)) }

// LoadWithExamples is [rule.LoadWithExamples], and runs the examples of the user's rules.
func LoadWithExamples(dirs ...fs.FS) (*rule.Set, error) {
	return tested(rule.LoadWithExamples(dirs...))
}

func tested(rules *rule.Set, err error) (*rule.Set, error) {
	if err != nil {
		return nil, err
	}
	var problems []error
	for _, failure := range Test(rules, rules.User()) {
		problems = append(problems, failure)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return rules, nil
}

// Failure is an example of a rule that came out differently.
type Failure struct {
	Rule *rule.Rule
	Line string
	Why  string
}

func (f *Failure) Error() string {
	return fmt.Sprintf("rule %q of %s: example %q: %s", f.Rule.ID, f.Rule.Origin, f.Line, f.Why)
}

// Test feeds an engine with the examples of some rules of a set, and returns those that fail.
func Test(set *rule.Set, rules []*rule.Rule) []*Failure {
	var failures []*Failure
	for _, r := range rules {
		for i := range r.Match {
			if err := check(r, &r.Match[i], traceExample(set, r, r.Match[i].Line)); err != nil {
				failures = append(failures, &Failure{r, r.Match[i].Line, err.Error()})
			}
		}
		for _, line := range r.NoMatch {
			if t := traceExample(set, r, line); t.rule == r {
				failures = append(failures, &Failure{r, line, "the rule must not match it, but does"})
			}
		}
	}
	return failures
}

// traceExample returns what an engine makes of an example of a rule.
func traceExample(set *rule.Set, r *rule.Rule, line string) *trace {
	if r.Type == rule.TypeSyslog {
		line = withHeader(r, line)
	} else if r.Type == rule.TypeAccess && !strings.Contains(line, `"`) {
		line = spelledOut(line)
	}
	e, err := New(Options{Rules: set, Emit: func(*attack.Event, uint64) {}})
	if err != nil {
		return &trace{}
	}
	t := new(trace)
	e.matcher.trace = t
	e.Feed(&Source{typ: r.Type}, []byte(line), time.Unix(0, 0))
	if t.named == r && t.rule != nil {
		t.rule = r // the rule for requests that took over has examples of its own
	}
	return t
}

// withHeader returns an example that starts with a header: one that has none is what stands behind
// the first of the rule's tags, or behind the name of pam_unix and the first of its PAM services.
func withHeader(r *rule.Rule, line string) string {
	var m header.Message
	if m.Cut([]byte(line)) {
		return line
	}
	if len(r.Tags) > 0 {
		return "Jan  1 00:00:00 host " + r.Tags[0] + "[1]: " + line
	}
	if strings.HasPrefix(line, "pam_") || strings.HasPrefix(line, "(pam_") {
		return "Jan  1 00:00:00 host " + r.PAM[0] + "[1]: " + line
	}
	return "Jan  1 00:00:00 host " + r.PAM[0] + "[1]: (pam_unix) " + line
}

// spelledOut writes the line of an access log for a shortened one: "METHOD TARGET" or
// "METHOD TARGET STATUS".
func spelledOut(short string) string {
	request, status := short, "404"
	if space := strings.LastIndexByte(short, ' '); space >= 0 {
		if _, err := strconv.Atoi(short[space+1:]); err == nil {
			request, status = short[:space], short[space+1:]
		}
	}
	return exampleClient.String() + ` - - [01/Jan/2026:00:00:00 +0000] "` + request + ` HTTP/1.1" ` + status + ` 0 "-" "-"`
}

var exampleClient = netip.MustParseAddr("192.0.2.7")

// check compares an example with what came out of its line.
func check(r *rule.Rule, want *rule.Example, got *trace) error {
	if got.rule == nil {
		return errors.New("no rule matches it")
	}
	if got.rule != r {
		return fmt.Errorf("rule %q matches it first", got.rule.ID)
	}
	f := &got.said
	var problems []error
	expect := func(name string, want, got any) {
		if want != got {
			problems = append(problems, fmt.Errorf("%s is %v, want %v", name, got, want))
		}
	}
	if want.SourceIP.IsValid() {
		expect("source_ip", want.SourceIP, f.source)
	}
	if want.SourceHost != "" {
		expect("source_host", want.SourceHost, string(f.host))
	}
	if want.SourcePort != 0 {
		expect("source_port", want.SourcePort, f.port)
	}
	if want.User != "" {
		expect("user", want.User, string(f.user))
	}
	if want.Method != "" {
		expect("method", want.Method, cmp.Or(string(f.method), r.Method))
	}
	if want.Count != 0 {
		expect("count", want.Count, f.count)
	}
	return errors.Join(problems...)
}
