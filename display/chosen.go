package main

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/config"
)

// chosen is how a person chooses events: by words, which the running display reads in its zone.
type chosen struct {
	Since  string `json:"since,omitempty"`
	Until  string `json:"until,omitempty"`
	Agent  string `json:"agent,omitempty"`
	Kind   string `json:"kind,omitempty"`
	Source string `json:"source,omitempty"`
	User   string `json:"user,omitempty"`
	Host   string `json:"host,omitempty"`
}

// flags adds the flags of a choice to a command.
func (c *chosen) flags(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&c.Since, "since", c.Since, "only what arrived since then: "+whenHelp)
	flags.StringVar(&c.Until, "until", "", "only what arrived before then")
	flags.StringVar(&c.Agent, "agent", "", "only from this agent")
	flags.StringVar(&c.Kind, "kind", "", "only this kind, such as ssh_login")
	flags.StringVar(&c.Source, "source", "", "only from this address or network")
	flags.StringVar(&c.User, "user", "", "only attempts to be this user")
	flags.StringVar(&c.Host, "host", "", "only lines of this machine, where an agent reads those of others")
	command.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions(attack.KindNames(), cobra.ShellCompDirectiveNoFileComp))
	completeAgent(command)
}

// completeAgent gives a command's --agent the names of the running display's agents.
func completeAgent(command *cobra.Command) {
	command.RegisterFlagCompletionFunc("agent", func(command *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		var names []string
		for _, agent := range runningAgents(command) {
			names = append(names, agent.Name)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	})
}

// runningAgents returns the agents of the running display, for completion; none if it does not run.
func runningAgents(command *cobra.Command) []AgentStatus {
	path, _ := command.Flags().GetString("config")
	cfg := defaults()
	config.Load(path, &cfg) // one that cannot be read is as good as none here
	var status Status
	cfg.Running().Ask(command.Context(), "/status", nil, &status)
	return status.Agents
}

// filter reads a choice.
func (c chosen) filter(now time.Time) (f history.Filter, err error) {
	f.Agent, f.User, f.Host = c.Agent, c.User, c.Host
	if f.Since, err = parseWhen(c.Since, now); err != nil {
		return f, fmt.Errorf("--since: %w", err)
	}
	if f.Until, err = parseWhen(c.Until, now); err != nil {
		return f, fmt.Errorf("--until: %w", err)
	}
	if c.Kind != "" {
		if f.Kind, err = attack.ParseKind(c.Kind); err != nil {
			return f, fmt.Errorf("--kind: %w%s", err, config.Meant(c.Kind, attack.KindNames()))
		}
	}
	if c.Source != "" {
		addr, err := netip.ParseAddr(c.Source)
		if f.Source = netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()); err != nil {
			if f.Source, err = netip.ParsePrefix(c.Source); err != nil {
				return f, fmt.Errorf("--source: %q is no address such as 192.0.2.7, and no network such as 192.0.2.0/24", c.Source)
			}
		}
	}
	return f, nil
}

// filter reads a choice. An agent that was never paired nor heard is a mistake: it has no events because of its name.
func (d *daemon) filter(c chosen) (history.Filter, error) {
	f, err := c.filter(d.now())
	if err != nil || c.Agent == "" {
		return f, err
	}
	var known []string
	for _, agent := range d.history.Agents() {
		known = append(known, agent.Name)
	}
	for _, peer := range d.keyring.Peers() {
		known = append(known, peer.Name)
	}
	if slices.Contains(known, c.Agent) {
		return f, nil
	}
	err = fmt.Errorf("--agent: no agent %q is known", c.Agent)
	if meant := config.Nearest(c.Agent, known); meant != "" { // of thousands, the others would not be read
		err = fmt.Errorf("%w; did you mean %s?", err, meant)
	}
	return f, err
}

// check finds mistakes before the running display is asked.
func (c chosen) check(limit int) error {
	f, err := c.filter(time.Now())
	switch {
	case err != nil:
	case limit < 0:
		err = fmt.Errorf("--limit %d: give 0 for all, or a number above", limit)
	case !f.Until.IsZero() && !f.Since.Before(f.Until):
		err = fmt.Errorf("--until %s is not after --since %s", c.Until, c.Since)
	default:
		return nil
	}
	return &cli.UsageError{Err: err}
}
