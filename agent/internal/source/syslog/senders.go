package syslog

import (
	"container/list"
	"net/netip"
	"strings"
)

// maxSenders bounds the senders whose addresses are remembered; above it the one that was quiet for longest is forgotten.
const maxSenders = 10_000

// senders remembers what lines say of those who sent lately.
type senders struct {
	known map[netip.Addr]*list.Element // of *sender
	order *list.List                   // who sent last in front
}

type sender struct {
	addr netip.Addr
	word []byte
}

func newSenders() senders { return senders{map[netip.Addr]*list.Element{}, list.New()} }

func (s *senders) len() int { return len(s.known) }

// get returns what lines say of an address; nil if it is not remembered.
func (s *senders) get(addr netip.Addr) []byte {
	element := s.known[addr]
	if element == nil {
		return nil
	}
	s.order.MoveToFront(element)
	return element.Value.(*sender).word
}

// add remembers an address, in place of the one that was quiet for longest if there is no room.
func (s *senders) add(addr netip.Addr, name string) []byte {
	if len(s.known) >= maxSenders {
		last := s.order.Back()
		delete(s.known, s.order.Remove(last).(*sender).addr)
	}
	added := &sender{addr, wordOf(addr, name)}
	s.known[addr] = s.order.PushFront(added)
	return added.word
}

// wordOf is how a line begins behind its time: with the address, and the name of its machine if that is
// configured. Who has no address is this machine.
func wordOf(addr netip.Addr, name string) []byte {
	if !addr.IsValid() {
		return []byte("-")
	}
	text := addr.String()
	if strings.HasSuffix(text, ":") { // which would end a tag
		text = addr.StringExpanded()
	}
	if name != "" {
		text += "/" + name
	}
	return []byte(text)
}
