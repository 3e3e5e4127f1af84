package login

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"

	"github.com/pialert/pialert/pkg/packed"
)

// Kinds of keys.
const (
	keyFailed = "failed\x00"
	keyKnown  = "known\x00"
)

// Changes hands what changed since the last call to put; a nil value means that the key is gone.
func (h *History) Changes(put func(key string, value []byte)) {
	h.failed.changes(func(o origin, f failures, ok bool) {
		var value []byte
		if ok {
			value = binary.AppendVarint(binary.AppendUvarint(nil, f.count), f.last)
		}
		put(keyFailed+prefixText(o.network)+"\x00"+o.local, value)
	})
	h.known.changes(func(v visit, last int64, ok bool) {
		var value []byte
		if ok {
			value = binary.AppendVarint(nil, last)
		}
		put(keyKnown+prefixText(v.network)+"\x00"+v.service+"\x00"+v.user, value)
	})
}

func prefixText(p netip.Prefix) string {
	if !p.IsValid() {
		return ""
	}
	return p.String()
}

// errSaved means that a saved value is not one of ours.
var errSaved = errors.New("what was saved of logins is damaged")

// Restore takes back what Changes gave, before the first failure or success. What is damaged is an
// error and changes nothing.
func (h *History) Restore(key string, value []byte) error {
	d := packed.Reader{Rest: value}
	if rest, ok := strings.CutPrefix(key, keyFailed); ok {
		network, local, _ := strings.Cut(rest, "\x00")
		o, f := origin{local: local}, failures{count: d.Uvarint(), last: d.Varint()}
		var err error
		if network != "" {
			o.network, err = netip.ParsePrefix(network)
		}
		if err != nil || !d.Done() || o == (origin{}) {
			return errSaved
		}
		h.failed.put(o, f)
		return nil
	}
	rest, ok := strings.CutPrefix(key, keyKnown)
	network, who, _ := strings.Cut(rest, "\x00")
	service, user, _ := strings.Cut(who, "\x00")
	prefix, err := netip.ParsePrefix(network)
	last := d.Varint()
	if !ok || err != nil || !d.Done() {
		return errSaved
	}
	h.known.put(visit{service, user, prefix}, last)
	return nil
}
