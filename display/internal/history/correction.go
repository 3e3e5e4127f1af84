package history

import (
	"encoding/binary"

	"github.com/pialert/pialert/pkg/attack"
)

// Correction changes a total that a mistake made wrong. It is an entry of its own among the events,
// which is never deleted.
type Correction struct {
	Agent  string
	Kind   attack.Kind
	Host   string // the machine whose lines were counted, if it is not the agent's own
	By     int64  // attempts, or what the kind counts; negative takes away
	Reason string // of a person
}

// Bounds of a correction.
const (
	maxReason = 500     // bytes
	maxBy     = 1 << 46 // as much as a day's total
)

// The stored form of a correction: an event with the sequence number 0, which no event has, a count
// of 0, and a detail that begins with a number that no detail has.
const (
	correctionRule   = "correction"
	correctionDetail = 0xff
)

// decodeCorrection reads a correction's detail.
func decodeCorrection(detail []byte) (by int64, reason string, ok bool) {
	if len(detail) < 2 || detail[0] != correctionDetail {
		return 0, "", false
	}
	by, size := binary.Varint(detail[1:])
	if size <= 0 {
		return 0, "", false
	}
	return by, string(detail[1+size:]), true
}
