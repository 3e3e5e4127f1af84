package history

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// The first byte of an encoded detail says which it is. The fields follow in the order of the
// Go type: numbers as unsigned varints, text as its length and its bytes.
const (
	detailSSH     = 1
	detailHTTP    = 2
	detailFlood   = 3
	detailBan     = 4
	detailLocal   = 5
	detailService = 6
)

// appendDetail encodes a detail; nil is nothing.
func appendDetail(b []byte, d attack.Detail) []byte {
	switch d := d.(type) {
	case attack.SSH:
		b = append(b, detailSSH)
		b = appendText(b, d.Method)
		b = binary.AppendUvarint(b, uint64(flag(d.InvalidUser)))
		b = appendText(b, d.Reason)
	case attack.HTTP:
		b = append(b, detailHTTP)
		b = appendText(b, d.Method)
		b = appendText(b, d.Target)
		b = binary.AppendUvarint(b, uint64(d.Status))
		b = appendText(b, d.UserAgent)
		b = appendText(b, d.Host)
	case attack.Flood:
		b = append(b, detailFlood, byte(d.Phase))
		b = appendText(b, string(d.Network.Addr().AsSlice()))
		b = binary.AppendUvarint(b, uint64(max(d.Network.Bits(), 0)))
		b = appendText(b, d.Method)
		b = binary.AppendUvarint(b, d.Requests)
		b = binary.AppendUvarint(b, uint64(d.Window))
	case attack.BanInfo:
		b = appendText(append(b, detailBan), d.Jail)
	case attack.Local:
		b = appendText(append(b, detailLocal), d.Service)
		b = appendText(appendText(b, d.Target), d.TTY)
	case attack.Service:
		b = appendText(append(b, detailService), d.Name)
		b = appendText(b, d.Reason)
	}
	return b
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// decodeDetail is the inverse of appendDetail.
func decodeDetail(b []byte) (attack.Detail, error) {
	if len(b) == 0 {
		return nil, nil
	}
	r := fields{rest: b[1:]}
	var d attack.Detail
	switch b[0] {
	case detailSSH:
		d = attack.SSH{Method: r.text(), InvalidUser: r.number() != 0, Reason: r.text()}
	case detailHTTP:
		d = attack.HTTP{Method: r.text(), Target: r.text(), Status: uint16(r.number()), UserAgent: r.text(), Host: r.text()}
	case detailFlood:
		flood := attack.Flood{Phase: attack.FloodPhase(r.number())}
		addr, _ := netip.AddrFromSlice([]byte(r.text()))
		flood.Network = netip.PrefixFrom(addr, int(min(r.number(), 128)))
		flood.Method, flood.Requests, flood.Window = r.text(), r.number(), time.Duration(r.number())
		d = flood
	case detailBan:
		d = attack.BanInfo{Jail: r.text()}
	case detailLocal:
		d = attack.Local{Service: r.text(), Target: r.text(), TTY: r.text()}
	case detailService:
		d = attack.Service{Name: r.text(), Reason: r.text()}
	default:
		return nil, fmt.Errorf("detail %d is unknown", b[0])
	}
	if r.short || len(r.rest) > 0 {
		return nil, fmt.Errorf("detail %d is cut or too long", b[0])
	}
	return d, nil
}

// fields reads an encoded detail field by field.
type fields struct {
	rest  []byte
	short bool // more was read than there is
}

func (f *fields) number() uint64 {
	n, size := binary.Uvarint(f.rest)
	if size <= 0 {
		f.short, f.rest = true, nil
		return 0
	}
	f.rest = f.rest[size:]
	return n
}

func (f *fields) text() string {
	n := f.number()
	if n > uint64(len(f.rest)) {
		f.short, f.rest = true, nil
		return ""
	}
	text := string(f.rest[:n])
	f.rest = f.rest[n:]
	return text
}
