package messages

import "slices"

// Coverage is what becomes of a daemon's messages.
type Coverage struct {
	Daemon   string         `json:"daemon"`
	Read     []string       `json:"read"`
	Messages int            `json:"messages"`
	Attacks  int            `json:"attacks"` // messages that tell of an attack
	Taken    int            `json:"taken"`   // of those, how many a rule takes
	Harmless int            `json:"harmless"`
	Lines    int            `json:"lines"` // that the messages are tried as, with hostile texts
	Listed   []CoverageLine `json:"list,omitempty"`
}

// CoverageLine is one message in a [Coverage].
type CoverageLine struct {
	Format  string   `json:"format"`
	Where   string   `json:"where"`
	Since   string   `json:"since,omitempty"`
	Until   string   `json:"until,omitempty"`
	Level   string   `json:"level,omitempty"`
	Client  []string `json:"client,omitempty"` // placeholders at which a client chooses the text
	Example string   `json:"example"`
	Kind    string   `json:"kind,omitempty"`
	Rule    string   `json:"rule,omitempty"` // that takes the example
	Reason  string   `json:"reason,omitempty"`
	Missed  bool     `json:"missed,omitempty"`
}

// Add adds what becomes of other messages.
func (c *Coverage) Add(other Coverage) {
	c.Messages, c.Attacks, c.Taken = c.Messages+other.Messages, c.Attacks+other.Attacks, c.Taken+other.Taken
	c.Harmless, c.Lines = c.Harmless+other.Harmless, c.Lines+other.Lines
	c.Listed = append(c.Listed, other.Listed...)
}

// Cover looks each message of a daemon up: find returns the id of the rule that takes a line, empty
// if none does, and whether it counts an attack.
func (f *File) Cover(find func(line string) (id string, counts bool)) Coverage {
	c := Coverage{Daemon: f.Daemon, Read: f.Read, Messages: len(f.Messages)}
	for _, m := range f.Messages {
		example := m.Sample
		if example == "" {
			example = m.Line()
		}
		line := CoverageLine{
			Format: m.Format, Where: m.Where, Since: m.Since, Until: m.Until, Level: m.Level,
			Client: m.Controlled(), Example: example, Kind: m.Kind, Reason: m.Benign,
		}
		id, counts := find(m.Line())
		line.Rule = id
		switch {
		case !m.Attack():
			c.Harmless++
		case slices.Contains(m.Rule, id) || counts: // a user's own rule may stand before the built-in one
			c.Attacks++
			c.Taken++
		default:
			c.Attacks++
			line.Missed = true
		}
		for range m.Fill() {
			c.Lines++
		}
		c.Listed = append(c.Listed, line)
	}
	return c
}
