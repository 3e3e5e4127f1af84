package detect

import (
	"errors"
	"fmt"
)

// Failure is an example of a rule that came out differently.
type Failure struct {
	Rule *Rule
	Line string
	Why  string
}

func (f *Failure) Error() string {
	return fmt.Sprintf("rule %q of %s: example %q: %s", f.Rule.ID, f.Rule.Origin, f.Line, f.Why)
}

// Test runs the examples of every rule and returns those that fail.
func (s *Rules) Test() []*Failure { return s.test(s.rules) }

func (s *Rules) test(rules []*Rule) []*Failure {
	var failures []*Failure
	for _, rule := range rules {
		for i := range rule.Match {
			if err := s.check(rule, &rule.Match[i]); err != nil {
				failures = append(failures, &Failure{rule, rule.Match[i].Line, err.Error()})
			}
		}
		for _, line := range rule.NoMatch {
			if found := s.classify(rule, line); found.rule == rule {
				failures = append(failures, &Failure{rule, line, "the rule must not match it, but does"})
			}
		}
	}
	return failures
}

// classified is the rule for a line, and what it reads from it.
type classified struct {
	rule    *Rule
	fields  fields
	message message
	header  bool
}

// classify finds the rule for an example of a rule.
func (s *Rules) classify(r *Rule, line string) classified {
	var c classified
	if r.Type != TypeSyslog {
		c.classifyWeb(s, r, line)
		return c
	}
	if c.header = c.message.cut([]byte(line)) && (c.message.stamp.form != stampNone || c.message.pid != 0); !c.header {
		c.message = message{body: trimEnd([]byte(line))}
		switch {
		case len(r.Tags) > 0:
			c.message.tag = []byte(r.Tags[0])
		case len(r.PAM) > 0:
			c.message.tag = []byte(r.PAM[0])
			c.message.pam = []byte("pam_unix")
		}
	}
	c.find(s)
	return c
}

// find looks for the rule of the message.
func (c *classified) find(s *Rules) {
	lookup := newLookup(&s.index)
	var loc []int
	m := &c.message
	if inner, _, ok := repeated(m.body); ok {
		m.body = inner
	}
	if service, ok := m.cutPAM(); ok {
		c.rule, loc = lookup.forPAM(service).find(m.body, nil)
		if c.rule != nil {
			c.fields.read(c.rule, m.body, loc)
		}
		return
	}
	text := cutLevel(m.body)
	if c.rule, loc = lookup.forTag(m.tag).find(text, nil); c.rule != nil {
		c.fields.read(c.rule, text, loc)
	}
}

// check compares an example with what comes out of its line.
func (s *Rules) check(r *Rule, want *Example) error {
	got := s.classify(r, want.Line)
	if got.rule == nil {
		return errors.New("no rule matches it")
	}
	if got.rule != r {
		return fmt.Errorf("rule %q matches it first", got.rule.ID)
	}
	f := &got.fields
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
		method := string(f.method)
		if method == "" {
			method = r.Method
		}
		expect("method", want.Method, method)
	}
	if want.Count != 0 {
		expect("count", want.Count, f.count)
	}
	return errors.Join(problems...)
}
