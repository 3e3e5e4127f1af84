package detect

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

//go:embed rules/*.yaml
var builtin embed.FS

// maxRuleFile bounds a file with rules, in bytes.
const maxRuleFile = 1 << 20

// Rules is a set of rules, compiled and checked. It is immutable.
type Rules struct {
	rules []*Rule // in the order in which they are tried: the user's first
	index index
}

// header is a file with rules: what its rules have in common, and the rules.
type header struct {
	Type    Type     `yaml:"type,omitempty"`
	Service string   `yaml:"service,omitempty"`
	Tags    []string `yaml:"tags,omitempty"`
	PAM     []string `yaml:"pam,omitempty"`
	Join    Join     `yaml:"join,omitempty"`
	Longest int      `yaml:"longest,omitempty"`
	Rules   []*Rule  `yaml:"rules"`
}

// Load reads the built-in rules and those of the user: every *.yaml of each of dirs, in the order
// of their names. The user's rules are tried before the built-in ones. A rule whose id is taken,
// whose pattern or fields make no sense, or whose examples fail is an error; the error names all
// of them.
func Load(dirs ...fs.FS) (*Rules, error) {
	var set Rules
	var problems []error
	for _, dir := range dirs {
		problems = append(problems, set.read(dir, "."))
	}
	user := len(set.rules)
	if err := set.read(builtin, "rules"); err != nil {
		problems = append(problems, err)
	}
	problems = append(problems, set.unique())
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	set.index = newIndex(set.rules)
	// The examples of the built-in rules are run by this package's tests and by `rules test`.
	for _, failure := range set.test(set.rules[:user]) {
		problems = append(problems, failure)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return &set, nil
}

// read adds the rules of the files in dir.
func (s *Rules) read(files fs.FS, dir string) error {
	names, err := fs.Glob(files, path.Join(dir, "*.yaml"))
	if err != nil {
		return fmt.Errorf("cannot list the rules: %w", err)
	}
	slices.Sort(names)
	var problems []error
	for _, name := range names {
		rules, err := readRules(files, name)
		if err != nil {
			problems = append(problems, fmt.Errorf("cannot load the rules of %s: %w", name, err))
		}
		s.rules = append(s.rules, rules...)
	}
	return errors.Join(problems...)
}

func readRules(files fs.FS, name string) ([]*Rule, error) {
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, err
	}
	if len(text) > maxRuleFile {
		return nil, fmt.Errorf("it has %d bytes, at most %d are allowed", len(text), maxRuleFile)
	}
	var file header
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&file); err != nil {
		return nil, err
	}
	var problems []error
	for i, rule := range file.Rules {
		if rule == nil {
			problems = append(problems, fmt.Errorf("rule %d is empty", i+1))
			continue
		}
		rule.Origin = name
		file.fill(rule)
		if err := rule.compile(); err != nil {
			problems = append(problems, fmt.Errorf("rule %q: %w", rule.ID, err))
		}
	}
	return file.Rules, errors.Join(problems...)
}

// fill gives a rule what it left to the file's header.
func (h *header) fill(r *Rule) {
	if r.Type == "" {
		r.Type = h.Type
	}
	if r.Service == "" {
		r.Service = h.Service
	}
	if r.Join == "" {
		r.Join = h.Join
	}
	if r.Longest == 0 {
		r.Longest = h.Longest
	}
	if r.Tags == nil && r.PAM == nil {
		r.Tags, r.PAM = h.Tags, h.PAM
	}
}

func (s *Rules) unique() error {
	var problems []error
	first := map[string]*Rule{}
	for _, rule := range s.rules {
		if rule == nil {
			continue
		}
		if other := first[rule.ID]; other != nil {
			problems = append(problems, fmt.Errorf("rule %q of %s has the id of a rule of %s", rule.ID, rule.Origin, other.Origin))
		}
		first[rule.ID] = rule
	}
	return errors.Join(problems...)
}

// List returns every rule in the order in which they are tried. The rules must not be changed.
func (s *Rules) List() []*Rule { return slices.Clone(s.rules) }

// Show returns the rule with the given id.
func (s *Rules) Show(id string) (*Rule, error) {
	for _, rule := range s.rules {
		if rule.ID == id {
			return rule, nil
		}
	}
	var near []string
	for _, rule := range s.rules {
		if strings.Contains(rule.ID, id) || strings.Contains(id, rule.Service) && rule.Service != "" {
			near = append(near, rule.ID)
		}
	}
	if len(near) > 0 {
		return nil, fmt.Errorf("there is no rule %q; did you mean %s?", id, strings.Join(near, ", "))
	}
	return nil, fmt.Errorf("there is no rule %q", id)
}
