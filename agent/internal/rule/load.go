package rule

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/pialert/pialert/agent/internal/header"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/config"
)

//go:embed rules/*.yaml
var builtin embed.FS

// maxFile bounds a file with rules, in bytes.
const maxFile = 1 << 20

// Set is a set of rules, compiled and checked. It is immutable.
type Set struct {
	rules []*Rule // in the order in which they are tried: the user's first
	user  int     // how many of them are the user's
	index index
	web   requests
	trust func() *header.Trust
}

// Load reads the rules of the user, every *.yaml and *.yml of each of dirs, in the order of their names, and
// puts them before the built-in ones. A rule whose id is taken or whose pattern or fields make no sense is an
// error; the error names all of them.
//
// The examples of the built-in rules are left out; see [LoadWithExamples].
func Load(dirs ...fs.FS) (*Set, error) { return newSet(table, dirs) }

// LoadWithExamples is [Load] with the examples of the built-in rules, for who wants to see or run
// them. It takes many times as long.
func LoadWithExamples(dirs ...fs.FS) (*Set, error) {
	rules, err := readBuiltin()
	if err != nil {
		return nil, err
	}
	return newSet(rules, dirs)
}

// readBuiltin reads what table has.
func readBuiltin() ([]*Rule, error) {
	rules, err := read(builtin, "rules")
	number(rules, 0)
	return rules, err
}

func newSet(builtin []*Rule, dirs []fs.FS) (*Set, error) {
	var set Set
	var problems []error
	for _, dir := range dirs {
		rules, err := read(dir, ".")
		set.rules, problems = append(set.rules, rules...), append(problems, err)
	}
	number(set.rules, len(builtin))
	set.user = len(set.rules)
	set.rules = append(set.rules, builtin...)
	if err := errors.Join(append(problems, set.unique())...); err != nil {
		return nil, err
	}
	set.index = newIndex(set.rules)
	set.trust = sync.OnceValue(set.senders) // only journals' entries need it
	return &set, nil
}

// number gives rules their numbers. Others are tried behind them.
func number(rules []*Rule, others int) {
	for i, rule := range rules {
		rule.number = others + len(rules) - 1 - i
	}
}

// Folder is a folder with rules and the name that stands before mistakes in its files.
type Folder struct {
	fs.FS
	Name string
}

// place is what a file of a folder is called for people.
func place(files fs.FS, name string) string {
	if folder, ok := files.(Folder); ok {
		return path.Join(folder.Name, name)
	}
	return name
}

// read returns the rules of the files in dir that can be used.
func read(files fs.FS, dir string) ([]*Rule, error) {
	var names []string
	for _, pattern := range []string{"*.yaml", "*.yml"} {
		found, err := fs.Glob(files, path.Join(dir, pattern))
		if err != nil {
			return nil, fmt.Errorf("cannot list the rules: %w", err)
		}
		names = append(names, found...)
	}
	slices.Sort(names)
	names = slices.Compact(names) // a folder of one file has it under every pattern
	var rules []*Rule
	var problems []error
	for _, name := range names {
		more, err := readRules(files, name)
		rules, problems = append(rules, more...), append(problems, err)
	}
	return rules, errors.Join(problems...)
}

func readRules(files fs.FS, name string) ([]*Rule, error) {
	text, err := fs.ReadFile(files, name)
	place := place(files, name)
	if err != nil {
		var reason *fs.PathError // which names the file within the folder
		if errors.As(err, &reason) {
			err = reason.Err
		}
		return nil, fmt.Errorf("%s: %w", place, err)
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s: it has %d bytes, at most %d are allowed", place, len(text), maxFile)
	}
	var f file
	var problems []error
	for mistake := range config.Each(config.Unmarshal(text, &f)) {
		problems = append(problems, fmt.Errorf("%s:%w", place, mistake))
	}
	var rules []*Rule
	for i, e := range f.Rules {
		if e == nil {
			if len(problems) == 0 { // else it is one that could not be read
				problems = append(problems, fmt.Errorf("%s: rule %d is empty", place, i+1))
			}
			continue
		}
		rule, err := f.rule(e)
		err = errors.Join(err, rule.Ready())
		if len(rule.Match) == 0 {
			err = errors.Join(err, errors.New("match is missing: give at least one example line"))
		}
		if err != nil {
			for problem := range config.Each(err) {
				field, _, _ := strings.Cut(strings.TrimSuffix(problem.Error(), ":"), " ")
				line, column := config.Locate(text, fmt.Sprintf("rules[%d].%s", i, strings.TrimSuffix(field, ":")))
				problems = append(problems, fmt.Errorf("%s:%d:%d: rule %q: %w", place, line, column, e.ID, problem))
			}
		}
		rule.Origin = name
		rules = append(rules, rule)
	}
	return rules, errors.Join(problems...)
}

// rule gives an entry what it left to the file's head, and checks it: every mistake is in the error.
func (h *file) rule(e *entry) (*Rule, error) {
	r := &Rule{
		ID: e.ID, Type: cmp.Or(e.Type, h.Type, TypeSyslog), Service: cmp.Or(e.Service, h.Service),
		Tags: e.Tags, PAM: e.PAM, Join: cmp.Or(e.Join, h.Join, JoinPID), Role: cmp.Or(e.Role, RoleEvent),
		Pattern: e.Pattern, Method: e.Method, Reason: e.Reason, Reporter: e.Reporter, Asks: e.Asks, Defer: e.Defer,
		Longest: cmp.Or(e.Longest, h.Longest), Twice: e.Twice, Root: e.Root || h.Root, Setuid: e.Setuid, Accessed: e.Accessed, Note: e.Note, Match: e.Match, NoMatch: e.NoMatch,
		Request: Request{In: Part(e.In), Methods: e.Methods, Status: e.Status, From: e.From, Always: e.Always, AnyKind: e.AnyKind},
	}
	if e.Tags == nil && e.PAM == nil {
		r.Tags, r.PAM = h.Tags, h.PAM
	}
	r.family = familyOf(r.Service)
	if r.Asks != "" {
		r.asked = familyOf(r.Asks)
	}
	var problems []error
	switch {
	case e.Kind == "" && r.Counts():
		problems = append(problems, errors.New("kind is missing: use one of "+strings.Join(attack.KindNames(), ", ")))
	case e.Kind != "":
		kind, err := attack.ParseKind(e.Kind)
		if err != nil {
			problems = append(problems, fmt.Errorf("kind: %w%s", err, config.Meant(e.Kind, attack.KindNames())))
		}
		r.Kind, r.Severity = kind, kind.Severity()
	}
	if e.Severity != "" {
		severity, err := attack.ParseSeverity(e.Severity)
		if err != nil {
			problems = append(problems, fmt.Errorf("severity: %w", err))
		}
		r.Severity = severity
	}
	return r, errors.Join(append(problems, r.check())...)
}

// unique refuses rules of the user that have another rule's id. No two built-in ones have the same.
func (s *Set) unique() error {
	var problems []error
	first := map[string]*Rule{}
	for _, rule := range slices.Backward(s.rules[:s.user]) {
		first[rule.ID] = rule
	}
	for _, rule := range s.rules {
		if other := first[rule.ID]; other != nil && other != rule && rule.ID != "" {
			problems = append(problems, fmt.Errorf("rule %q of %s has the id of a rule of %s", rule.ID, rule.Origin, other.Origin))
		}
	}
	return errors.Join(problems...)
}

// List returns every rule in the order in which they are tried. The rules must not be changed.
func (s *Set) List() []*Rule { return slices.Clone(s.rules) }

// User returns the rules that are not built in. They must not be changed.
func (s *Set) User() []*Rule { return slices.Clone(s.rules[:s.user]) }

// Show returns the rule with the given id.
func (s *Set) Show(id string) (*Rule, error) {
	var ids []string
	for _, rule := range s.rules {
		if rule.ID == id {
			return rule, nil
		}
		ids = append(ids, rule.ID)
	}
	if near := config.Nearest(id, ids); near != "" {
		return nil, fmt.Errorf("there is no rule %q; did you mean %s?", id, near)
	}
	return nil, fmt.Errorf("there is no rule %q; pialert-agent rules list has them all", id)
}
