package nats

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/pialert/pialert/agent/internal/uplink"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// maxEvents is how many events one message carries at the most: enough to make what a message costs
// beside its bytes not count, and little to send again.
const maxEvents = 100

// Numbers of fields in the messages that are put together here, without decoding the events that
// the spool has marshalled.
const (
	parcelSession  = 1
	parcelEpoch    = 2
	parcelMessage  = 3
	parcelProtocol = 4
	parcelVersion  = 5
	parcelTick     = 6
	parcelGreeting = 7
	agentBatch     = 2 // in FromAgent
	batchEvents    = 1 // in Batch
)

// cut returns the first events of a marshalled batch, at most maxEvents of count, and how many.
func cut(batch []byte, count int) ([]byte, int) {
	if count <= maxEvents {
		return batch, count
	}
	end := 0
	for range maxEvents {
		end += protowire.ConsumeFieldValue(batchEvents, protowire.BytesType, batch[end+1:]) + 1 // the tag has one byte
	}
	return batch[:end], maxEvents
}

// parcel wraps a marshalled FromAgent.
func (s *session) parcel(message []byte) []byte {
	p := make([]byte, 0, len(message)+len(s.version)+64)
	p = protowire.AppendTag(p, parcelSession, protowire.BytesType)
	p = protowire.AppendBytes(p, s.id[:])
	p = protowire.AppendTag(p, parcelEpoch, protowire.VarintType)
	p = protowire.AppendVarint(p, s.epoch)
	p = protowire.AppendTag(p, parcelProtocol, protowire.VarintType)
	p = protowire.AppendVarint(p, uplink.Protocol)
	p = protowire.AppendTag(p, parcelVersion, protowire.BytesType)
	p = protowire.AppendString(p, s.version)
	p = protowire.AppendTag(p, parcelMessage, protowire.BytesType)
	return protowire.AppendBytes(p, message)
}

// greeting is what a parcel says of this agent's keys, as a field behind the others; nothing while none changes.
func (s *session) greeting(parcel []byte) ([]byte, error) {
	said := s.access.options.Keyring.Announce()
	if said == nil {
		return parcel, nil
	}
	raw, err := proto.Marshal(said)
	parcel = protowire.AppendTag(parcel, parcelGreeting, protowire.BytesType)
	return protowire.AppendBytes(parcel, raw), err
}

// ofBatch returns the FromAgent of a marshalled batch.
func ofBatch(batch []byte) []byte {
	m := make([]byte, 0, len(batch)+16)
	m = protowire.AppendTag(m, agentBatch, protowire.BytesType)
	return protowire.AppendBytes(m, batch)
}

// of returns any other FromAgent.
func of(message *pialertv1.FromAgent) ([]byte, error) { return proto.Marshal(message) }
