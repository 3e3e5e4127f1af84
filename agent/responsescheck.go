package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/agent/internal/policy"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/escape"
)

func responsesCommand(s *settings) *cobra.Command {
	command := &cobra.Command{
		Use:   "responses",
		Short: "Try out and confirm what shuts attackers out",
		Args:  cobra.NoArgs,
	}
	command.AddCommand(checkResponsesCommand(s), confirmResponsesCommand(s))
	return command
}

func confirmResponsesCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "confirm",
		Short: "Say that bans may stay enforced, as you are not locked out",
		Long: `confirm ends the trial of five minutes that begins when responses.mode becomes enforce while somebody is
logged in from another machine. Without it the agent then lets everybody in again, and only observes.`,
		Example: "  sudo pialert-agent responses confirm",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := askBans(s, command, "/responses/confirm", nil, nil); err != nil {
				return err
			}
			fmt.Fprintln(command.OutOrStdout(), "bans are enforced")
			return nil
		},
	}
}

// checkDays is how far back the check looks unless a flag says otherwise.
const checkDays = 30

func checkResponsesCommand(s *settings) *cobra.Command {
	var since, format string
	command := &cobra.Command{
		Use:   "check",
		Short: "Say who would have been banned by the logs of the last 30 days, and who of them ever logged in",
		Long: `check reads the logs of the configuration, with those that were rotated, and decides as run would have. It bans
nobody. It fails if somebody would have been banned who has logged in, before or after: put such
addresses into responses.allow before responses.mode becomes enforce.`,
		Example: `  sudo pialert-agent responses check
  sudo pialert-agent responses check --since 7d --format json | jq -r .target`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			cfg, err := s.Load()
			if err != nil {
				return err
			}
			from, err := parseTime(since, time.Now())
			if err != nil {
				return &cli.UsageError{Err: fmt.Errorf("--since: %w", err)}
			}
			past, problem := cfg.past(command.Context(), s, from, command.ErrOrStderr())
			result, err := past.judge(&cfg)
			if err != nil {
				return err
			}
			if format == "json" {
				encoder := cli.NewEncoder(command.OutOrStdout())
				for _, one := range result.Banned {
					if err := encoder.Encode(one); err != nil {
						return err
					}
				}
			} else if err := result.write(command.OutOrStdout(), from); err != nil {
				return err
			}
			return errors.Join(problem, result.err())
		},
	}
	command.Flags().StringVar(&since, "since", fmt.Sprintf("%dd", checkDays), "how far to look back: a time, yesterday, or a span such as 7d")
	cli.FormatFlag(command, &format)
	return command
}

// Checked is somebody who would have been banned.
type Checked struct {
	Target   netip.Prefix `json:"target"`
	Bans     int          `json:"bans"`
	First    time.Time    `json:"first"`
	Last     time.Time    `json:"last"`
	Reason   string       `json:"reason"`    // of the first ban
	LoggedIn uint64       `json:"logged_in"` // how often somebody got in from there, at any time
}

// checked is the result of a check.
type checked struct {
	Banned []*Checked
	spared map[string]int // sources that are never banned, by the reason
	events int
}

// judge decides about the past as run would have.
func (p *past) judge(c *Config) (*checked, error) {
	allowed, err := c.Responses.allowed(nil, nil)
	if err != nil {
		return nil, err
	}
	never, err := c.Responses.exempt(allowed, noPeers)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(p.deeds, func(a, b deed) int { return cmp.Compare(a.at, b.at) })
	court := policy.New(c.Responses.rules(), never)
	result := &checked{spared: map[string]int{}, events: len(p.deeds)}
	all, spared, logins := map[netip.Prefix]*Checked{}, map[netip.Prefix]bool{}, map[netip.Prefix]uint64{}
	for _, d := range p.deeds {
		at := time.Unix(0, d.at)
		e := &attack.Event{
			Kind: d.kind, Logged: at, Observed: at, SourceIP: d.from, Count: uint64(d.count), Rule: p.names[d.rule], Log: p.names[d.log],
		}
		if policy.IsLogin(e) {
			logins[policy.Source(d.from)] += uint64(max(d.count, 1))
		}
		decisions, none := court.Event(e)
		if none != nil && !spared[none.Source] {
			spared[none.Source] = true
			result.spared[none.Why]++
		}
		for _, one := range decisions {
			known := all[one.Target]
			if known == nil {
				known = &Checked{Target: one.Target, First: at, Reason: one.Reason}
				all[one.Target] = known
				result.Banned = append(result.Banned, known)
			}
			known.Bans, known.Last = known.Bans+1, at
		}
	}
	for source, n := range logins {
		for _, one := range result.Banned {
			if one.Target.Overlaps(source) {
				one.LoggedIn += n
			}
		}
	}
	slices.SortStableFunc(result.Banned, func(a, b *Checked) int {
		return cmp.Or(cmp.Compare(b.LoggedIn, a.LoggedIn), cmp.Compare(b.Bans, a.Bans), a.Target.Addr().Compare(b.Target.Addr()))
	})
	return result, nil
}

// write prints a check for people, who has logged in first.
func (c *checked) write(out io.Writer, from time.Time) error {
	if len(c.Banned) == 0 {
		fmt.Fprintf(out, "nobody would have been banned since %s, by %d events\n", from.Format(time.DateOnly), c.events)
	} else {
		table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "WHO\tBANS\tFIRST\tLAST\tLOGINS FROM THERE\tWHY FIRST")
		for _, one := range c.Banned {
			fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%d\t%s\n", one.Target, one.Bans, one.First.Local().Format(time.DateTime),
				one.Last.Local().Format(time.DateTime), one.LoggedIn, escape.Text(one.Reason))
		}
		if err := table.Flush(); err != nil {
			return err
		}
		fmt.Fprintf(out, "\n%d would have been banned since %s, by %d events\n", len(c.Banned), from.Format(time.DateOnly), c.events)
	}
	for _, why := range slices.Sorted(maps.Keys(c.spared)) {
		fmt.Fprintf(out, "%d would not, though they did enough: %s\n", c.spared[why], why)
	}
	return nil
}

// err says that somebody who has logged in would have been banned.
func (c *checked) err() error {
	var known []string
	for _, one := range c.Banned {
		if one.LoggedIn > 0 {
			known = append(known, one.Target.String())
		}
	}
	if len(known) == 0 {
		return nil
	}
	return cli.Hint(fmt.Errorf("%d of them have logged in: %s", len(known), strings.Join(known[:min(len(known), 10)], ", ")),
		"if these are yours, put them into responses.allow before you set responses.mode to enforce")
}
