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

const tableName = "pialert"

// setSize bounds a set.
const setSize = 1 << 16

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
		allow:  allow,
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
func (l *layout) build(c *nftables.Conn) error {
	c.AddTable(l.table) // so that deleting it cannot fail
	c.DelTable(l.table)
	c.AddTable(l.table)
	for _, set := range l.sets() {
		c.AddSet(set, nil)
	}
	if err := bySet(l.allow, l.allowing, nil, time.Time{}, c.SetAddElements); err != nil {
		return err
	}
	for _, chain := range l.chains {
		c.AddChain(chain)
		for _, rule := range l.rules() {
			c.AddRule(&nftables.Rule{Table: l.table, Chain: chain, Exprs: rule})
		}
	}
	return nil
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

// find returns the table, nil if it is not there.
func find(c *nftables.Conn) (*nftables.Table, error) {
	tables, err := c.ListTablesOfFamily(nftables.TableFamilyINet)
	if err != nil {
		return nil, fmt.Errorf("cannot read the firewall: %w", explain(err))
	}
	for _, table := range tables {
		if table.Name == tableName {
			return table, nil
		}
	}
	return nil, nil
}
