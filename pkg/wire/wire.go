// Package wire turns attack events into protobuf messages and back.
//
// [Encode] promises that whatever an honest matcher made can be marshalled: text that an
// attacker wrote travels as bytes. [Decode] promises that what it returns is within the bounds
// of pkg/attack and refuses everything else, since the message may come from a paired but mad
// peer. The two are inverse: decoding what was encoded gives the same event, with times cut to
// UTC and equal instants.
package wire

import (
	"fmt"
	"net/netip"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/pialert/pialert/pkg/attack"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// Encode returns the message for an event, numbered and marked with the agent's name.
func Encode(sequence uint64, agent string, e *attack.Event) *pialertv1.Event {
	message := &pialertv1.Event{
		Agent:      agent,
		Sequence:   sequence,
		Logged:     encodeTime(e.Logged),
		Observed:   encodeTime(e.Observed),
		Kind:       pialertv1.Kind(e.Kind),
		Severity:   pialertv1.Severity(e.Severity),
		Rule:       e.Rule,
		SourceIp:   e.SourceIP.AsSlice(),
		SourceHost: encodeText(e.SourceHost),
		SourcePort: uint32(e.SourcePort),
		User:       encodeText(e.User),
		Count:      e.Count,
		Test:       e.Test,
		Log:        encodeText(e.Log),
	}
	switch d := e.Detail.(type) {
	case attack.SSH:
		message.Detail = &pialertv1.Event_Ssh{Ssh: &pialertv1.SSHDetail{
			Method: encodeText(d.Method), InvalidUser: d.InvalidUser, Reason: encodeText(d.Reason),
		}}
	case attack.HTTP:
		message.Detail = &pialertv1.Event_Http{Http: &pialertv1.HTTPDetail{
			Method: encodeText(d.Method), Target: encodeText(d.Target), Status: uint32(d.Status),
			UserAgent: encodeText(d.UserAgent), Host: encodeText(d.Host),
		}}
	case attack.Flood:
		message.Detail = &pialertv1.Event_Flood{Flood: &pialertv1.FloodDetail{
			Phase: pialertv1.FloodDetail_Phase(d.Phase), Network: d.Network.Addr().AsSlice(),
			PrefixLength: uint32(max(d.Network.Bits(), 0)), Method: encodeText(d.Method), Requests: d.Requests,
			Window: durationpb.New(d.Window),
		}}
	case attack.BanInfo:
		message.Detail = &pialertv1.Event_Ban{Ban: &pialertv1.BanDetail{Jail: encodeText(d.Jail)}}
	case attack.Local:
		message.Detail = &pialertv1.Event_Local{Local: &pialertv1.LocalDetail{
			Service: encodeText(d.Service), Target: encodeText(d.Target), Tty: encodeText(d.TTY),
		}}
	case attack.Service:
		message.Detail = &pialertv1.Event_Service{Service: &pialertv1.ServiceDetail{
			Name: encodeText(d.Name), Reason: encodeText(d.Reason),
		}}
	}
	return message
}

// Decode returns the event of a message and its number. Its errors wrap [attack.ErrInvalid].
// The message's agent name is not looked at: who speaks is known from the connection.
func Decode(message *pialertv1.Event) (sequence uint64, event attack.Event, err error) {
	if message.GetSequence() == 0 {
		return 0, attack.Event{}, invalid("it has no sequence number")
	}
	kind, severity := message.GetKind(), message.GetSeverity()
	if kind < 0 || kind > 255 || !attack.Kind(kind).Valid() {
		return 0, attack.Event{}, invalid("kind %d is unknown", kind)
	}
	if severity < 0 || severity > 255 || !attack.Severity(severity).Valid() {
		return 0, attack.Event{}, invalid("severity %d is unknown", severity)
	}
	if message.GetSourcePort() > 65535 {
		return 0, attack.Event{}, invalid("source port %d is above 65535", message.GetSourcePort())
	}
	event = attack.Event{
		Kind:       attack.Kind(kind),
		Severity:   attack.Severity(severity),
		Rule:       message.GetRule(),
		SourceHost: string(message.GetSourceHost()),
		SourcePort: uint16(message.GetSourcePort()),
		User:       string(message.GetUser()),
		Count:      message.GetCount(),
		Test:       message.GetTest(),
		Log:        string(message.GetLog()),
	}
	if event.Logged, err = decodeTime("logged", message.GetLogged()); err != nil {
		return 0, attack.Event{}, err
	}
	if event.Observed, err = decodeTime("observed", message.GetObserved()); err != nil {
		return 0, attack.Event{}, err
	}
	if event.SourceIP, err = decodeAddr(message.GetSourceIp()); err != nil {
		return 0, attack.Event{}, err
	}
	if event.Detail, err = decodeDetail(message); err != nil {
		return 0, attack.Event{}, err
	}
	if err := event.Check(); err != nil {
		return 0, attack.Event{}, err
	}
	return message.GetSequence(), event, nil
}

func decodeDetail(message *pialertv1.Event) (attack.Detail, error) {
	switch d := message.GetDetail().(type) {
	case *pialertv1.Event_Ssh:
		return attack.SSH{
			Method: string(d.Ssh.GetMethod()), InvalidUser: d.Ssh.GetInvalidUser(), Reason: string(d.Ssh.GetReason()),
		}, nil
	case *pialertv1.Event_Http:
		if d.Http.GetStatus() > 999 {
			return nil, invalid("HTTP status %d is above 999", d.Http.GetStatus())
		}
		return attack.HTTP{
			Method: string(d.Http.GetMethod()), Target: string(d.Http.GetTarget()), Status: uint16(d.Http.GetStatus()),
			UserAgent: string(d.Http.GetUserAgent()), Host: string(d.Http.GetHost()),
		}, nil
	case *pialertv1.Event_Flood:
		return decodeFlood(d.Flood)
	case *pialertv1.Event_Ban:
		return attack.BanInfo{Jail: string(d.Ban.GetJail())}, nil
	case *pialertv1.Event_Local:
		return attack.Local{
			Service: string(d.Local.GetService()), Target: string(d.Local.GetTarget()), TTY: string(d.Local.GetTty()),
		}, nil
	case *pialertv1.Event_Service:
		return attack.Service{Name: string(d.Service.GetName()), Reason: string(d.Service.GetReason())}, nil
	default:
		return nil, nil
	}
}

func decodeFlood(d *pialertv1.FloodDetail) (attack.Detail, error) {
	addr, err := decodeAddr(d.GetNetwork())
	if err != nil {
		return nil, err
	}
	if !addr.IsValid() || d.GetPrefixLength() > uint32(addr.BitLen()) {
		return nil, invalid("flood from network %s/%d", addr, d.GetPrefixLength())
	}
	phase := d.GetPhase()
	if phase < 0 || phase > 255 {
		return nil, invalid("flood phase %d is unknown", phase)
	}
	if d.GetWindow() != nil && d.GetWindow().CheckValid() != nil {
		return nil, invalid("flood window is out of range")
	}
	return attack.Flood{
		Phase: attack.FloodPhase(phase), Network: netip.PrefixFrom(addr, int(d.GetPrefixLength())),
		Method: string(d.GetMethod()), Requests: d.GetRequests(), Window: d.GetWindow().AsDuration(),
	}, nil
}

func encodeText(text string) []byte {
	if text == "" {
		return nil
	}
	return []byte(text)
}

func encodeTime(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func decodeTime(field string, stamp *timestamppb.Timestamp) (time.Time, error) {
	if stamp == nil {
		return time.Time{}, nil
	}
	if err := stamp.CheckValid(); err != nil {
		return time.Time{}, invalid("%s time is out of range", field)
	}
	return stamp.AsTime(), nil
}

func decodeAddr(raw []byte) (netip.Addr, error) {
	if len(raw) == 0 {
		return netip.Addr{}, nil
	}
	addr, ok := netip.AddrFromSlice(raw)
	if !ok {
		return netip.Addr{}, invalid("an address has %d bytes, not 4 or 16", len(raw))
	}
	return addr, nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{attack.ErrInvalid}, args...)...)
}
