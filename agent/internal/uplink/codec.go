package uplink

import (
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// encodedBatch is a pialert.v1.Batch that is marshalled already, as the spool keeps it.
type encodedBatch []byte

// batchField is the number of the field batch in pialert.v1.FromAgent.
const batchField = 2

// codec sends an encodedBatch as the FromAgent message around it, without decoding it or copying
// its events, and every other message as protobuf does.
type codec struct{}

// Marshal implements encoding.CodecV2.
func (codec) Marshal(v any) (mem.BufferSlice, error) {
	batch, ok := v.(encodedBatch)
	if !ok {
		return encoding.GetCodecV2(proto.Name).Marshal(v)
	}
	head := protowire.AppendTag(nil, batchField, protowire.BytesType)
	head = protowire.AppendVarint(head, uint64(len(batch)))
	return mem.BufferSlice{mem.SliceBuffer(head), mem.SliceBuffer(batch)}, nil
}

// Unmarshal implements encoding.CodecV2.
func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	return encoding.GetCodecV2(proto.Name).Unmarshal(data, v)
}

// Name implements encoding.CodecV2: on the wire it is protobuf.
func (codec) Name() string { return proto.Name }
