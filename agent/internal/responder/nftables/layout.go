package nftables

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// layout is what the table consists of.
type layout struct {
	table  *nftables.Table
	chains []*nftables.Chain
	ban4   *nftables.Set // IPv4 addresses
	ban6   *nftables.Set // IPv6 networks of 64 bits, by their first address
	net4   *nftables.Set // larger networks
	net6   *nftables.Set
	allow4 *nftables.Set
	allow6 *nftables.Set
	allow  []netip.Prefix
}

// priority is before that of ordinary filters, so that nobody accepts first what is to be dropped.
const priority = nftables.ChainPriority(-10)

func layoutOf(forward bool, allow []netip.Prefix) *layout {
	table := &nftables.Table{Name: tableName, Family: nftables.TableFamilyINet}
	set := func(name string, kind nftables.SetDatatype, interval, timeout bool) *nftables.Set {
		return &nftables.Set{Table: table, Name: name, KeyType: kind, Interval: interval, HasTimeout: timeout, Size: setSize}
	}
	l := &layout{
		table:  table,
		ban4:   set("ban4", nftables.TypeIPAddr, false, true),
		ban6:   set("ban6", nftables.TypeIP6Addr, false, true),
		net4:   set("net4", nftables.TypeIPAddr, true, true),
		net6:   set("net6", nftables.TypeIP6Addr, true, true),
		allow4: set("allow4", nftables.TypeIPAddr, true, false),
		allow6: set("allow6", nftables.TypeIP6Addr, true, false),
		allow:  disjoint(allow),
	}
	hooks := []struct {
		name string
		hook *nftables.ChainHook
	}{{"input", nftables.ChainHookInput}}
	if forward {
		hooks = append(hooks, struct {
			name string
			hook *nftables.ChainHook
		}{"forward", nftables.ChainHookForward})
	}
	first := priority
	for _, h := range hooks {
		l.chains = append(l.chains, &nftables.Chain{
			Name: h.name, Table: table, Type: nftables.ChainTypeFilter, Hooknum: h.hook, Priority: &first,
		})
	}
	return l
}

// sets lists them in the order in which they are made.
func (l *layout) sets() []*nftables.Set {
	return []*nftables.Set{l.ban4, l.ban6, l.net4, l.net6, l.allow4, l.allow6}
}

// build makes everything but the bans, in place of what there is.
func (l *layout) build(c *nftables.Conn) {
	c.AddTable(l.table) // so that deleting it cannot fail
	c.DelTable(l.table)
	c.AddTable(l.table)
	for _, set := range l.sets() {
		c.AddSet(set, nil)
	}
	for _, prefix := range l.allow {
		set := l.allow4
		if prefix.Addr().Is6() {
			set = l.allow6
		}
		c.SetAddElements(set, interval(prefix, 0))
	}
	for _, chain := range l.chains {
		c.AddChain(chain)
		for _, rule := range l.rules() {
			c.AddRule(&nftables.Rule{Table: l.table, Chain: chain, Exprs: rule})
		}
	}
}

// Where the source address stands in the network header: RFC 791, section 3.1, and RFC 8200, section 3.
const (
	source4, length4 = 12, 4
	source6, length6 = 8, 16
)

// rules are those of every chain, in their order:
//
//	ip saddr @allow4 accept
//	ip6 saddr @allow6 accept
//	ip saddr @ban4 counter drop
//	ip saddr @net4 counter drop
//	ip6 saddr & ffff:ffff:ffff:ffff:: @ban6 counter drop
//	ip6 saddr @net6 counter drop
func (l *layout) rules() [][]expr.Any {
	mask := slices.Concat(bytes.Repeat([]byte{0xff}, 8), make([]byte, 8))
	return [][]expr.Any{
		match(l.allow4, nil, &expr.Verdict{Kind: expr.VerdictAccept}),
		match(l.allow6, nil, &expr.Verdict{Kind: expr.VerdictAccept}),
		match(l.ban4, nil, &expr.Counter{}, &expr.Verdict{Kind: expr.VerdictDrop}),
		match(l.net4, nil, &expr.Counter{}, &expr.Verdict{Kind: expr.VerdictDrop}),
		match(l.ban6, mask, &expr.Counter{}, &expr.Verdict{Kind: expr.VerdictDrop}),
		match(l.net6, nil, &expr.Counter{}, &expr.Verdict{Kind: expr.VerdictDrop}),
	}
}

// match does something with packets whose source, behind a mask if there is one, is in a set.
func match(set *nftables.Set, mask []byte, then ...expr.Any) []expr.Any {
	family, offset, length := byte(unix.NFPROTO_IPV4), uint32(source4), uint32(length4)
	if set.KeyType == nftables.TypeIP6Addr {
		family, offset, length = unix.NFPROTO_IPV6, source6, length6
	}
	rule := []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{family}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: length},
	}
	if mask != nil {
		rule = append(rule, &expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: length, Mask: mask, Xor: make([]byte, length)})
	}
	rule = append(rule, &expr.Lookup{SourceRegister: 1, SetName: set.Name, SetID: set.ID})
	return append(rule, then...)
}

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
	slices.SortFunc(allowed, comparePrefixes)
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
	if err := l.bySet(remove, want, now, c.SetDeleteElements); err != nil {
		return 0, err
	}
	return changed, l.bySet(add, want, now, c.SetAddElements)
}

// bySet does something with the elements of bans, as many of one set at once as the kernel takes. The
// elements are do's only until it returns.
func (l *layout) bySet(all []netip.Prefix, want map[netip.Prefix]time.Time, now time.Time, do func(*nftables.Set, []nftables.SetElement) error) error {
	parts := map[*nftables.Set][]nftables.SetElement{}
	for _, target := range all {
		set := l.setOf(target)
		left, part := max(want[target].Sub(now), 0), parts[set]
		if set.Interval {
			part = append(part, interval(target, left)...)
		} else {
			part = append(part, nftables.SetElement{Key: target.Addr().AsSlice(), Timeout: left})
		}
		if len(part) >= atOnce-1 { // the next may be two
			if err := do(set, part); err != nil {
				return err
			}
			part = part[:0]
		}
		parts[set] = part
	}
	for set, part := range parts {
		if len(part) == 0 {
			continue
		}
		if err := do(set, part); err != nil {
			return err
		}
	}
	return nil
}

// setOf returns where a ban belongs.
func (l *layout) setOf(target netip.Prefix) *nftables.Set {
	switch {
	case target.Addr().Is4() && target.Bits() == 32:
		return l.ban4
	case target.Addr().Is4():
		return l.net4
	case target.Bits() == 64:
		return l.ban6
	default:
		return l.net6
	}
}

// interval is a network as elements of an interval set: its first address, and the one behind its last.
func interval(network netip.Prefix, left time.Duration) []nftables.SetElement {
	elements := []nftables.SetElement{{Key: network.Addr().AsSlice(), Timeout: left}}
	if end := after(network); end.IsValid() {
		elements = append(elements, nftables.SetElement{Key: end.AsSlice(), IntervalEnd: true})
	}
	return elements
}

// after returns the address behind a network's last one; invalid if there is none.
func after(network netip.Prefix) netip.Addr {
	last := network.Addr().AsSlice()
	for bit := network.Bits(); bit < len(last)*8; bit++ {
		last[bit/8] |= 0x80 >> (bit % 8)
	}
	addr, _ := netip.AddrFromSlice(last)
	return addr.Next()
}

// timed is a network in a set and for how long it stays there.
type timed struct {
	prefix netip.Prefix
	left   time.Duration
}

// prefixes reads the elements of a set. Those that are no networks are left out: they are not ours, and
// the table is not intact with them.
func prefixes(set *nftables.Set, elements []nftables.SetElement) (all []timed) {
	if !set.Interval {
		bits := 32
		if set.KeyType == nftables.TypeIP6Addr {
			bits = 64
		}
		all = make([]timed, 0, len(elements))
		for _, e := range elements {
			if addr, ok := netip.AddrFromSlice(e.Key); ok {
				all = append(all, timed{netip.PrefixFrom(addr, bits), e.Expires})
			}
		}
		return all
	}
	slices.SortFunc(elements, func(a, b nftables.SetElement) int { return bytes.Compare(a.Key, b.Key) })
	for i, e := range elements {
		first, ok := netip.AddrFromSlice(e.Key)
		if !ok || e.IntervalEnd {
			continue
		}
		var end netip.Addr                    // invalid: up to the last address there is
		for _, next := range elements[i+1:] { // a neighbour begins where this one ends: the key is there twice
			if !bytes.Equal(next.Key, e.Key) {
				end, _ = netip.AddrFromSlice(next.Key)
				break
			}
		}
		for bits := 0; bits <= first.BitLen(); bits++ {
			if prefix := netip.PrefixFrom(first, bits); prefix == prefix.Masked() && after(prefix) == end {
				all = append(all, timed{prefix, e.Expires})
				break
			}
		}
	}
	return all
}

// disjoint returns networks without those that lie in others, in order.
func disjoint(all []netip.Prefix) (list []netip.Prefix) {
	for _, one := range all {
		one = one.Masked()
		if !slices.ContainsFunc(all, func(other netip.Prefix) bool {
			other = other.Masked()
			return other != one && other.Bits() < one.Bits() && other.Contains(one.Addr())
		}) && !slices.Contains(list, one) {
			list = append(list, one)
		}
	}
	slices.SortFunc(list, comparePrefixes)
	return list
}

func comparePrefixes(a, b netip.Prefix) int {
	if c := a.Addr().Compare(b.Addr()); c != 0 {
		return c
	}
	return a.Bits() - b.Bits()
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
