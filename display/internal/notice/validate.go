package notice

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"time"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/config"
)

// families are the words of [When.Families].
var families = map[string]attack.Family{
	"ssh": attack.FamilySSH, "wordpress": attack.FamilyWordPress, "other": attack.FamilyOther,
}

var weekdays = map[string]time.Weekday{
	"sun": time.Sunday, "mon": time.Monday, "tue": time.Tuesday, "wed": time.Wednesday,
	"thu": time.Thursday, "fri": time.Friday, "sat": time.Saturday,
}

// Words of [When.By].
const (
	byLamp    = "lamp"
	byAgent   = "agent"
	byNetwork = "network"
	byKind    = "kind"
)

// problems gathers what is wrong with a configuration.
type problems struct{ all []error }

func (p *problems) refuse(path string, value any, problem string) {
	p.all = append(p.all, &config.FieldError{Path: "notices." + path, Value: value, Problem: problem})
}

func (p *problems) require(ok bool, path string, value any, problem string) {
	if !ok {
		p.refuse(path, value, problem)
	}
}

var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)

// Bounds of a configuration.
const (
	maxChannels = 16
	maxRules    = 64
)

// Validate returns every mistake as joined [config.FieldError], with paths that begin with
// "notices".
func (c *Config) Validate() error {
	v := &problems{}
	v.require(len(c.Channels) <= maxChannels, "channels", len(c.Channels), fmt.Sprintf("give at most %d", maxChannels))
	v.require(len(c.Rules) <= maxRules, "rules", len(c.Rules), fmt.Sprintf("give at most %d", maxRules))
	v.require(c.Daily >= 1 && c.Daily <= 10_000, "daily", c.Daily, "give 1 to 10000")
	v.require(c.Keep >= config.Duration(time.Minute), "keep", c.Keep, "give at least 1m")
	var names []string
	for i, one := range c.Channels {
		at := fmt.Sprintf("channels[%d]", i)
		v.require(namePattern.MatchString(one.Name), at+".name", one.Name, "use small letters, digits, hyphens and underscores")
		v.require(!slices.Contains(names, one.Name), at+".name", one.Name, "two channels have this name")
		names = append(names, one.Name)
		if err := one.check(); err != nil {
			v.refuse(at, one.Name, err.Error())
		}
	}
	for i, rule := range c.Rules {
		rule.validate(v, fmt.Sprintf("rules[%d]", i), names)
	}
	for i, quiet := range c.Quiet {
		if _, err := severity(quiet.But); err != nil {
			v.refuse(fmt.Sprintf("quiet[%d].but", i), quiet.But, err.Error())
		}
		v.require(quiet.From != quiet.To, fmt.Sprintf("quiet[%d]", i), quiet.From, "it begins when it ends")
	}
	return errors.Join(v.all...)
}

func (r *RuleConfig) validate(v *problems, at string, channels []string) {
	v.require(len(r.To) > 0, at+".to", "nobody", "name at least one channel")
	for i, name := range r.To {
		v.require(slices.Contains(channels, name), fmt.Sprintf("%s.to[%d]", at, i), name, "there is no such channel")
	}
	switch {
	case (r.When == nil) == (r.Digest == nil):
		v.refuse(at, "", "give either when or digest")
	case r.Digest != nil:
		for i, day := range r.Digest.Days {
			_, ok := weekdays[day]
			v.require(ok, fmt.Sprintf("%s.digest.days[%d]", at, i), day, "use mon, tue, wed, thu, fri, sat or sun")
		}
	default:
		r.When.validate(v, at+".when")
	}
}

func (w *When) validate(v *problems, at string) {
	for i, name := range w.Kinds {
		_, err := attack.ParseKind(name)
		v.require(err == nil, fmt.Sprintf("%s.kinds[%d]", at, i), name, "there is no such kind"+config.Meant(name, attack.KindNames()))
	}
	for i, name := range w.Families {
		_, ok := families[name]
		v.require(ok, fmt.Sprintf("%s.families[%d]", at, i), name, "use ssh, wordpress or other")
	}
	for i, text := range w.Source {
		if _, err := network(text); err != nil {
			v.refuse(fmt.Sprintf("%s.source[%d]", at, i), text, err.Error())
		}
	}
	if _, err := severity(w.Severity); err != nil {
		v.refuse(at+".severity", w.Severity, err.Error())
	}
	v.require((w.Attempts > 0) == (w.Within > 0), at+".within", w.Within, "attempts and within go together: attempts: 500, within: 10m")
	v.require(w.Within == 0 || w.Within >= config.Duration(time.Minute) && w.Within <= config.Duration(24*time.Hour), at+".within", w.Within, "give 1m to 24h")
	v.require(slices.Contains([]string{"", byLamp, byAgent, byNetwork, byKind}, w.By), at+".by", w.By, "use lamp, agent, network or kind")
	v.require(w.By == "" || w.Attempts > 0, at+".by", w.By, "it needs attempts and within")
	v.require(len(w.Logs) == 0 || w.Silent > 0, at+".logs", w.Logs, "it needs silent")
	v.require(w.Silent == 0 || w.Silent >= config.Duration(time.Minute), at+".silent", w.Silent, "give at least 1m")
	alone := 0
	for _, set := range []bool{w.Silent > 0, w.Dropped, w.Failed, w.choosesEvents()} {
		if set {
			alone++
		}
	}
	v.require(alone == 1, at, "", "give exactly one: what chooses events, or silent, or dropped, or failed")
}

// choosesEvents says whether a rule is about events.
func (w *When) choosesEvents() bool {
	return len(w.Kinds)+len(w.Families)+len(w.Agents)+len(w.Source) > 0 || w.Severity != "" || w.First || w.Attempts > 0
}

func severity(text string) (s attack.Severity, err error) {
	if text == "" {
		return 0, nil
	}
	return s, s.UnmarshalText([]byte(text))
}

// network reads an address or a network.
func network(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return addr.Prefix(addr.BitLen())
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return prefix, fmt.Errorf("give an address or a network such as 192.0.2.0/24")
	}
	return prefix.Masked(), nil
}
