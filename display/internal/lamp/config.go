package lamp

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/config"
	"github.com/pialert/pialert/pkg/escape"
)

// Max is how many lamps there can be: each rests on its own one of the eight LEDs.
const Max = 8

// Config is one lamp as the configuration has it. Lamps stand in a list, and an event goes to
// the first of them that collects it.
type Config struct {
	// Name is what commands call the lamp: lower case letters, digits and hyphens.
	Name string `yaml:"name"`
	// Label is what people read; the name if empty.
	Label string `yaml:"label"`
	// Agents lists the agents that the lamp collects from, by the names they were paired under,
	// or [FirstAgent], or [OtherAgents]. An empty list means every agent.
	Agents []string `yaml:"agents"`
	// Hosts lists the machines that the lamp collects from, by the names that they have in collected
	// logs, or an agent's name for its own lines. An empty list means every machine.
	Hosts []string `yaml:"hosts"`
	// Counters lists the keys of the counters that the lamp collects, of the kind counter alone.
	// An empty list means every counter, if the kind is listed.
	Counters []string `yaml:"counters"`
	// Kinds lists kinds such as "ssh_login" and families of kinds such as "ssh". An empty list
	// means all of them. What is no attack and no answer to one (visit, counter, ssh_accepted,
	// login_accepted, fault) belongs to no family: list it by its name. A kind whose counts are no attempts (ban, flood, visit, ...)
	// enters the lamp's total only if it is listed by its own name. The lamp that collects fault also
	// breathes while a channel of the notices fails.
	Kinds []string `yaml:"kinds"`
	// Color is a name such as "red", or "#rrggbb".
	Color string `yaml:"color"`
	// LED is the lamp's resting LED, 0 to 7.
	LED int `yaml:"led"`
	// SweepFrom is the least severity that sweeps; what is below is counted and only makes the
	// resting LED flash. Every severity sweeps if it is empty.
	SweepFrom string `yaml:"sweep_from"`
	// Count is "all" for a total that lasts, or "today" for one that starts anew at midnight.
	// Empty means "all".
	Count string `yaml:"count"`
}

// The words that stand for agents in [Config.Agents].
const (
	FirstAgent  = "first"  // the agent that was paired first
	OtherAgents = "others" // every agent that no lamp names
)

// Defaults returns the lamps that a configuration without lamps has: the four of the first
// PiAlert, with its colours and resting LEDs.
func Defaults() []Config {
	return []Config{
		{Name: "ssh-a", Label: "SSH on A", Agents: []string{FirstAgent}, Kinds: []string{"ssh"}, Color: "red", LED: 0},
		{Name: "wordpress", Label: "WordPress", Kinds: []string{"wordpress"}, Color: "blue", LED: 2},
		{Name: "ssh-b", Label: "SSH on B", Agents: []string{OtherAgents}, Kinds: []string{"ssh"}, Color: "purple", LED: 4},
		{Name: "web", Label: "Web and the rest", Kinds: []string{"other"}, Color: "green", LED: 6},
	}
}

// families are the words of [Config.Kinds] that stand for many kinds.
var families = map[string]attack.Family{
	"ssh":       attack.FamilySSH,
	"wordpress": attack.FamilyWordPress,
	"other":     attack.FamilyOther,
}

var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// maxLabel bounds a label, in runes: what fits beside a total in a narrow terminal.
const maxLabel = 32

// Validate returns every mistake in the lamps as joined [config.FieldError], with paths that
// begin with "lamps".
func Validate(lamps []Config) error {
	if len(lamps) == 0 || len(lamps) > Max {
		return &config.FieldError{Path: "lamps", Value: fmt.Sprintf("%d lamps", len(lamps)),
			Problem: fmt.Sprintf("there must be 1 to %d lamps", Max)}
	}
	var problems []error
	names, leds := map[string]int{}, map[int]string{}
	for i := range lamps {
		c := &lamps[i]
		refuse := func(field string, value any, problem string) {
			problems = append(problems,
				&config.FieldError{Path: fmt.Sprintf("lamps[%d].%s", i, field), Value: value, Problem: problem})
		}
		if !namePattern.MatchString(c.Name) {
			refuse("name", c.Name, "use up to 32 lower case letters, digits and hyphens, such as ssh-a")
		} else if earlier, taken := names[c.Name]; taken {
			refuse("name", c.Name, fmt.Sprintf("lamps[%d] has this name already", earlier))
		}
		names[c.Name] = i

		if utf8.RuneCountInString(c.Label) > maxLabel || !escape.Printable(c.Label) {
			refuse("label", c.Label, fmt.Sprintf("use at most %d printable characters", maxLabel))
		}
		for j, agent := range c.Agents {
			if agent == "" || len(agent) > attack.MaxName || !escape.Printable(agent) {
				refuse(fmt.Sprintf("agents[%d]", j), agent,
					fmt.Sprintf("give an agent's name, or %s, or %s", FirstAgent, OtherAgents))
			}
		}
		for j, host := range c.Hosts {
			if host == "" || len(host) > attack.MaxName {
				refuse(fmt.Sprintf("hosts[%d]", j), host, "give the name that a machine has in the logs")
			}
		}
		for j, key := range c.Counters {
			if key == "" || len(key) > attack.MaxWord {
				refuse(fmt.Sprintf("counters[%d]", j), key, fmt.Sprintf("give a counter's key of up to %d bytes", attack.MaxWord))
			}
		}
		if len(c.Counters) > 0 && !slices.Contains(c.Kinds, attack.Counter.String()) {
			refuse("counters", strings.Join(c.Counters, ", "), "list counter among the kinds, too")
		}
		for j, word := range c.Kinds {
			if _, err := parseKinds(word); err != nil {
				refuse(fmt.Sprintf("kinds[%d]", j), word, err.Error())
			}
		}
		if _, err := ParseColor(c.Color); err != nil {
			refuse("color", c.Color, err.Error())
		}
		if c.LED < 0 || c.LED >= Max {
			refuse("led", c.LED, fmt.Sprintf("the LEDs are 0 to %d", Max-1))
		} else if owner, taken := leds[c.LED]; taken {
			refuse("led", c.LED, fmt.Sprintf("the lamp %s rests there already", owner))
		}
		leds[c.LED] = c.Name
		if _, err := sweepFrom(c.SweepFrom); err != nil {
			refuse("sweep_from", c.SweepFrom, err.Error())
		}
		if !slices.Contains([]string{"", "all", "today"}, c.Count) {
			refuse("count", c.Count, "use all or today")
		}
	}
	return errors.Join(problems...)
}

// kindSet is a set of kinds. Those that only a newer program knows are in it by their families.
type kindSet struct {
	known    [2]uint64 // has the bit of every kind in it
	families uint8     // has the bit of every family in it
}

func (s *kindSet) add(k attack.Kind) { s.known[k/64] |= 1 << (k % 64) }

func (s *kindSet) union(t kindSet) {
	s.families |= t.families
	for i := range t.known {
		s.known[i] |= t.known[i]
	}
}

func (s *kindSet) has(k attack.Kind) bool {
	if k.Unknown() {
		return s.families>>k.Family()&1 == 1
	}
	return int(k/64) < len(s.known) && s.known[k/64]>>(k%64)&1 == 1
}

// addFamily adds all kinds of a family but those that stand apart.
func (s *kindSet) addFamily(family attack.Family) {
	s.families |= 1 << family
	for _, kind := range attack.Kinds() {
		if kind.Family() == family && !kind.Apart() {
			s.add(kind)
		}
	}
}

// parseKinds reads one word of [Config.Kinds].
func parseKinds(word string) (set kindSet, err error) {
	if kind, err := attack.ParseKind(word); err == nil && !kind.Unknown() {
		set.add(kind)
		return set, nil
	}
	family, ok := families[word]
	if !ok {
		return kindSet{}, errors.New("it is no kind and no family of kinds" + config.Meant(word, slices.Concat(slices.Sorted(maps.Keys(families)), attack.KindNames())))
	}
	set.addFamily(family)
	return set, nil
}

func sweepFrom(word string) (attack.Severity, error) {
	if word == "" {
		return attack.Info, nil
	}
	severity, err := attack.ParseSeverity(word)
	if err != nil {
		return 0, errors.New("use info, low, medium or high")
	}
	return severity, nil
}
