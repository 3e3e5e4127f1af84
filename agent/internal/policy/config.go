package policy

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/config"
)

// Config says when a source is banned, and for how long.
type Config struct {
	// Ban is what holds for every kind.
	Ban Ban `yaml:"ban"`
	// Kinds is what holds for some kinds instead.
	Kinds map[string]Kind `yaml:"kinds"`
	// Network says when a whole network is banned.
	Network Network `yaml:"network"`
}

// Ban says how many attempts are too many, and how long a ban lasts.
type Ban struct {
	// After is how many attempts within the span lead to a ban.
	After int `yaml:"after"`
	// Within is that span.
	Within config.Duration `yaml:"within"`
	// For is how long the first ban lasts.
	For config.Duration `yaml:"for"`
	// Growth is by how much each further ban of a source is longer.
	Growth float64 `yaml:"growth"`
	// Most is the longest that a ban lasts.
	Most config.Duration `yaml:"most"`
	// Remember is for how long a source's bans, and a successful login from it, are remembered.
	Remember config.Duration `yaml:"remember"`
}

// Kind is what holds for one kind of events.
type Kind struct {
	// After is how many attempts of the kind lead to a ban; 0 never does, nothing is ban.after.
	After *int `yaml:"after"`
	// For is how long the first ban lasts; 0 is ban.for.
	For config.Duration `yaml:"for"`
}

// Network says when a whole network is banned.
type Network struct {
	// V4 is the length of an IPv4 network's prefix.
	V4 int `yaml:"v4"`
	// V6 is the length of an IPv6 network's prefix.
	V6 int `yaml:"v6"`
	// After is how many banned neighbours ban their network; 0 bans none.
	After int `yaml:"after"`
}

// Defaults returns the configuration that most servers need.
func Defaults() Config {
	day := 24 * time.Hour
	one, eight := 1, 8
	return Config{
		Ban: Ban{
			After: 5, Within: config.Duration(10 * time.Minute), For: config.Duration(time.Hour), Growth: 2,
			Most: config.Duration(7 * day), Remember: config.Duration(30 * day),
		},
		Kinds: map[string]Kind{
			attack.HTTPExploit.String():    {After: &one},
			attack.HTTPFlood.String():      {After: &one, For: config.Duration(15 * time.Minute)},
			attack.WordPressLogin.String(): {After: &eight},
		},
		Network: Network{V4: 24, V6: 48, After: 5},
	}
}

// Validate returns every mistake as a [config.FieldError] with a path below the key of the
// configuration.
func (c *Config) Validate() (problems []error) {
	require := func(ok bool, path string, value any, problem string) {
		if !ok {
			problems = append(problems, &config.FieldError{Path: path, Value: value, Problem: problem})
		}
	}
	b := c.Ban
	require(b.After >= 1 && b.After <= maxAfter, "ban.after", b.After, fmt.Sprintf("give 1 to %d", maxAfter))
	require(b.Within >= config.Duration(time.Second) && b.Within <= config.Duration(24*time.Hour), "ban.within", b.Within, "give 1s to 24h")
	require(b.For >= config.Duration(time.Second), "ban.for", b.For, "give at least 1s")
	require(b.Growth >= 1 && b.Growth <= 100, "ban.growth", b.Growth, "give 1 to 100")
	require(b.Most >= b.For, "ban.most", b.Most, "give at least as much as ban.for")
	require(b.Remember >= b.Within, "ban.remember", b.Remember, "give at least as much as ban.within")
	for _, name := range slices.Sorted(maps.Keys(c.Kinds)) {
		kind, path := c.Kinds[name], "kinds."+name
		if parsed, err := attack.ParseKind(name); err != nil {
			require(false, path, name, "there is no such kind"+config.Meant(name, attack.KindNames()))
		} else {
			require(bannable(parsed), path, name, "events of this kind are no attempts: nobody is banned for them")
		}
		require(kind.After == nil || *kind.After >= 0 && *kind.After <= maxAfter, path+".after", kind.After, fmt.Sprintf("give 0 to %d", maxAfter))
		require(kind.For <= b.Most, path+".for", kind.For, "give at most ban.most")
	}
	require(c.Network.V4 >= 8 && c.Network.V4 <= 32, "network.v4", c.Network.V4, "give 8 to 32")
	require(c.Network.V6 >= 32 && c.Network.V6 <= 64, "network.v6", c.Network.V6, "give 32 to 64")
	require(c.Network.After == 0 || c.Network.After >= 2 && c.Network.After <= 1000, "network.after", c.Network.After, "give 2 to 1000, or 0 for never")
	return problems
}

const maxAfter = 100_000

// bannable says whether events of a kind can lead to a ban: attempts, and the beginning of a flood.
func bannable(kind attack.Kind) bool {
	return kind.Attempt() && kind != attack.LocalAuth || kind == attack.HTTPFlood || kind == attack.HTTPScan
}
