package lamp

import (
	"fmt"
	"slices"
	"strings"
)

// Named returns the lamps with labels that say what they count in this house: the first agent and
// the others by their names, in place of the defaults' "SSH on A" and "SSH on B" and of labels that
// are empty. agents are the paired ones, the first of them first; a label of the owner's stays.
func Named(lamps []Config, agents []string) []Config {
	named := slices.Clone(lamps)
	for i, c := range named {
		who := c.who(lamps, agents)
		if !c.unlabelled() || who == "" {
			continue
		}
		named[i].Label = c.what() + " on " + who
	}
	return named
}

// unlabelled says whether the label is not the owner's.
func (c *Config) unlabelled() bool {
	return c.Label == "" || slices.ContainsFunc(Defaults(), func(d Config) bool { return d.Name == c.Name && d.Label == c.Label && len(d.Agents) > 0 })
}

// what is the words for the kinds.
func (c *Config) what() string {
	words := map[string]string{"ssh": "SSH", "wordpress": "WordPress", "other": "Web and the rest"}
	var all []string
	for _, kind := range c.Kinds {
		if word, ok := words[kind]; ok {
			kind = word
		}
		all = append(all, kind)
	}
	if len(all) == 0 {
		return "Everything"
	}
	return strings.Join(all, ", ")
}

// who names the agents that the lamp collects from, empty if it collects from all, or if none of
// them is paired yet.
func (c *Config) who(lamps []Config, agents []string) string {
	var names []string
	for _, word := range c.Agents {
		switch word {
		case FirstAgent:
			names = append(names, agents[:min(1, len(agents))]...)
		case OtherAgents:
			for i, agent := range agents {
				if !slices.ContainsFunc(lamps, func(other Config) bool {
					return slices.Contains(other.Agents, agent) || i == 0 && slices.Contains(other.Agents, FirstAgent)
				}) {
					names = append(names, agent)
				}
			}
		default:
			names = append(names, word)
		}
	}
	if len(names) > 2 {
		return fmt.Sprintf("%d servers", len(names))
	}
	return strings.Join(names, " and ")
}
