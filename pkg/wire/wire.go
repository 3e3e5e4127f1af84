// Package wire turns attack events into protobuf messages and back.
//
// [Encode] promises that every event within the bounds of pkg/attack can be marshalled: text that
// an attacker wrote travels as bytes. [Decode] promises that what it returns is within these bounds
// and refuses everything else, since the message may come from a paired peer that misbehaves. The
// two are inverse: decoding what was encoded gives the same event, with times cut to UTC and equal
// instants.
//
// Programs of unlike versions understand each other. What a newer agent says that this program does
// not know is not refused: a kind is kept by its number, a severity above the highest is the
// highest, a phase is an update, and a detail or a field is left out.
package wire

import (
	"time"

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
		Kind:       pialertv1.Kind(e.Kind.Number()),
		Severity:   pialertv1.Severity(e.Severity),
		Rule:       e.Rule,
		SourceIp:   e.SourceIP.AsSlice(),
		SourceHost: encodeText(e.SourceHost),
		SourcePort: uint32(e.SourcePort),
		User:       encodeText(e.User),
		Count:      e.Count,
		Test:       e.Test,
		Host:       encodeText(e.Host),
		Log:        encodeText(e.Log),
		Family:     pialertv1.Family(e.Kind.Family()),
		Attempt:    e.Kind.Attempt(),
	}
	encodeDetail(message, e.Detail)
	return message
}

// Decode returns the event of a message and its number. Its errors wrap [attack.ErrInvalid].
// The message's agent name is not looked at: who speaks is known from the connection.
func Decode(message *pialertv1.Event) (sequence uint64, event attack.Event, err error) {
	if message.GetSequence() == 0 {
		return 0, attack.Event{}, invalid("it has no sequence number")
	}
	kind, err := decodeKind(message)
	if err != nil {
		return 0, attack.Event{}, err
	}
	severity := min(message.GetSeverity(), pialertv1.Severity(attack.High))
	if severity != pialertv1.Severity(uint8(severity)) {
		return 0, attack.Event{}, invalid("severity %d is unknown", severity)
	}
	port := message.GetSourcePort()
	if port != uint32(uint16(port)) {
		return 0, attack.Event{}, invalid("source port %d is above 65535", port)
	}
	event = attack.Event{
		Kind:       kind,
		Severity:   attack.Severity(severity),
		Rule:       message.GetRule(),
		SourceHost: string(message.GetSourceHost()),
		SourcePort: uint16(port),
		User:       string(message.GetUser()),
		Count:      message.GetCount(),
		Test:       message.GetTest(),
		Host:       string(message.GetHost()),
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

// decodeKind returns the kind of a message. One that this program does not know is what the agent
// says of it: its family, and whether it counts attempts.
func decodeKind(message *pialertv1.Event) (attack.Kind, error) {
	number, family := message.GetKind(), message.GetFamily()
	if number != pialertv1.Kind(uint16(number)) {
		return 0, invalid("kind %d is no kind", number)
	}
	if family != pialertv1.Family(uint8(family)) {
		family = pialertv1.Family_FAMILY_UNSPECIFIED
	}
	return attack.UnknownKind(uint16(number), attack.Family(family), message.GetAttempt()), nil
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
