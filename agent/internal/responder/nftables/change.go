package nftables

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// slack is by how much the end of a ban in force may differ from what is wanted: timeouts are
// counted from the moment at which the kernel takes them.
const slack = 2 * time.Second

// read returns the bans in force. The table is intact if it has what build makes and nothing else.
func (l *layout) read(c *nftables.Conn, now time.Time) (have map[netip.Prefix]time.Time, intact bool, err error) {
	table, err := find(c)
	if err != nil || table == nil {
		return nil, false, err
	}
	sets, err := c.GetSets(table)
	if err != nil {
		return nil, false, fmt.Errorf("cannot read the firewall's sets: %w", explain(err))
	}
	have = map[netip.Prefix]time.Time{}
	var allowed []netip.Prefix
	for _, want := range l.sets() {
		i := slices.IndexFunc(sets, func(s *nftables.Set) bool { return s.Name == want.Name })
		if i < 0 {
			return nil, false, nil
		}
		elements, err := c.GetSetElements(sets[i])
		if err != nil {
			return nil, false, fmt.Errorf("cannot read the firewall's bans: %w", explain(err))
		}
		for _, one := range prefixes(want, elements) {
			if want == l.allow4 || want == l.allow6 {
				allowed = append(allowed, one.prefix)
			} else {
				have[one.prefix] = now.Add(one.left)
			}
		}
	}
	slices.SortFunc(allowed, netip.Prefix.Compare)
	if len(sets) != len(l.sets()) || !slices.Equal(allowed, l.allow) {
		return nil, false, nil
	}
	return have, l.sameRules(c, table), nil
}

// sameRules says whether the chains and their rules are those that build makes.
func (l *layout) sameRules(c *nftables.Conn, table *nftables.Table) bool {
	chains, err := c.ListChainsOfTableFamily(nftables.TableFamilyINet)
	if err != nil {
		return false
	}
	found := 0
	for _, chain := range chains {
		if chain.Table.Name != tableName {
			continue
		}
		i := slices.IndexFunc(l.chains, func(want *nftables.Chain) bool { return want.Name == chain.Name })
		if i < 0 || chain.Hooknum == nil || *chain.Hooknum != *l.chains[i].Hooknum || chain.Policy != nil && *chain.Policy != nftables.ChainPolicyAccept {
			return false
		}
		rules, err := c.GetRules(table, chain)
		want := l.rules()
		if err != nil || len(rules) != len(want) {
			return false
		}
		for j, rule := range rules {
			if !sameRule(rule.Exprs, want[j]) {
				return false
			}
		}
		found++
	}
	return found == len(l.chains)
}

// sameRule compares what matters of two rules: the set that is looked up, and what follows.
func sameRule(got, want []expr.Any) bool {
	name := func(rule []expr.Any) (set string, verdict expr.VerdictKind) {
		for _, one := range rule {
			switch e := one.(type) {
			case *expr.Lookup:
				set = e.SetName
			case *expr.Verdict:
				verdict = e.Kind
			}
		}
		return set, verdict
	}
	gotSet, gotVerdict := name(got)
	wantSet, wantVerdict := name(want)
	return len(got) == len(want) && gotSet == wantSet && gotVerdict == wantVerdict
}

// change adds, changes and takes away bans until what is there is what is wanted. It returns how many.
func (l *layout) change(c *nftables.Conn, have, want map[netip.Prefix]time.Time, now time.Time) (changed int, err error) {
	var remove []netip.Prefix
	for target, until := range have {
		wanted, ok := want[target]
		if off := wanted.Sub(until); !ok || off > slack || off < -slack {
			remove = append(remove, target)
		}
		if !ok {
			changed++
		}
	}
	add := make([]netip.Prefix, 0, max(0, len(want)-len(have)))
	for target, until := range want {
		in, ok := have[target]
		if off := until.Sub(in); !ok || off > slack || off < -slack {
			add = append(add, target)
			changed++
		}
	}
	if err := bySet(remove, l.setOf, want, now, c.SetDeleteElements); err != nil {
		return 0, err
	}
	return changed, bySet(add, l.setOf, want, now, c.SetAddElements)
}

// dropped adds up the counters of the rules.
func dropped(c *nftables.Conn, table *nftables.Table) (packets, bytes uint64, err error) {
	chains, err := c.ListChainsOfTableFamily(nftables.TableFamilyINet)
	if err != nil {
		return 0, 0, explain(err)
	}
	for _, chain := range chains {
		if chain.Table.Name != tableName {
			continue
		}
		rules, err := c.GetRules(table, chain)
		if err != nil {
			return 0, 0, explain(err)
		}
		for _, rule := range rules {
			for _, one := range rule.Exprs {
				if counter, ok := one.(*expr.Counter); ok {
					packets, bytes = packets+counter.Packets, bytes+counter.Bytes
				}
			}
		}
	}
	return packets, bytes, nil
}
