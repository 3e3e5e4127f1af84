package history

import (
	"net/netip"

	"github.com/pialert/pialert/pkg/attack"
)

// naming collects the lists of one transaction.
type naming struct {
	minutes map[int64]*[nameKinds]nameList
	lists   *[nameKinds]nameList // of the minute that is added to now
	group   group
	names   [nameKinds]*names // of that group
	added   int               // since what is held was bounded
	room    int               // for how many names of a group
}

// maxAdded is how many events are collected between two looks at how much is held.
const maxAdded = 1 << 14

// begin says of which minute events are added next, and how many.
func (n *naming) begin(minute int64, events int) {
	n.room = min(events, maxAdded)
	if n.minutes == nil {
		n.minutes = make(map[int64]*[nameKinds]nameList)
	}
	n.lists = n.minutes[minute]
	if n.lists == nil {
		n.lists = new([nameKinds]nameList)
		for i := range n.lists {
			n.lists[i] = make(nameList)
		}
		n.minutes[minute] = n.lists
	}
	n.group, n.names = group{}, [nameKinds]*names{}
}

func (n *naming) of(what nameKind) *names {
	at := &n.names[what-1]
	if *at == nil {
		*at = n.lists[what-1].of(n.group)
		(*at).room = n.room
	}
	return *at
}

// set says of which agent and kind events are added next.
func (n *naming) set(g group) {
	if g != n.group {
		n.group, n.names = g, [nameKinds]*names{}
	}
	if n.added++; n.added > maxAdded {
		n.bound()
		n.group = g
	}
}

// address adds the address that an event came from, which is never mapped: see [attack.Event.Check].
func (n *naming) address(ip netip.Addr, sum Sum) {
	if ip.Is4() {
		raw := ip.As4()
		n.of(addressNames).addBytes(raw[:], sum)
	} else if ip.IsValid() {
		raw := ip.As16()
		n.of(addressNames).addBytes(raw[:], sum)
	}
}

// network adds the network of the address that an event came from.
func (n *naming) network(ip netip.Addr, sum Sum) {
	if ip.Is4() {
		raw := ip.As4()
		n.of(networkNames).addBytes(raw[:bytes4], sum)
	} else if ip.IsValid() {
		raw := ip.As16()
		n.of(networkNames).addBytes(raw[:bytes6], sum)
	}
}

// text adds the user name and the target of an event.
func (n *naming) text(user string, detail attack.Detail, sum Sum) {
	if user != "" {
		n.of(userNames).add(cutName(user), sum)
	}
	if target := targetOf(detail); target != "" {
		n.of(targetNames).add(cutName(target), sum)
	}
}

// machine adds what is counted, of the machine that wrote the line or of a counter.
func (n *naming) machine(key string, sum Sum) { n.of(machineNames).add(key, sum) }

// bound keeps no more than a transaction can hold, whatever its events name.
func (n *naming) bound() {
	n.added = 0
	for _, lists := range n.minutes {
		for i, list := range lists {
			list.cut(nameKind(i+1), 256<<10)
		}
	}
	n.group, n.names = group{}, [nameKinds]*names{}
}

// forget takes an agent out.
func (n *naming) forget(agent int64) {
	for _, lists := range n.minutes {
		for _, list := range lists {
			for g := range list {
				if g.agent == agent {
					delete(list, g)
				}
			}
		}
	}
	n.group, n.names = group{}, [nameKinds]*names{}
}

// targetOf returns what an attack was at: a web page, or the user that somebody wanted to become.
func targetOf(detail attack.Detail) string {
	switch d := detail.(type) {
	case attack.HTTP:
		return d.Target
	case attack.Local:
		return d.Target
	}
	return ""
}
