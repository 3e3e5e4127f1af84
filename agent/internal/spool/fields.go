package spool

import (
	"errors"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Fields of the payload.
const (
	fieldFirst        protowire.Number = 1
	fieldBatch        protowire.Number = 2
	fieldCount        protowire.Number = 3
	fieldAttempts     protowire.Number = 4
	fieldChange       protowire.Number = 5 // repeated: key 1, value 2, deleted 3
	fieldWhole        protowire.Number = 6
	fieldEpoch        protowire.Number = 7
	fieldConsumer     protowire.Number = 8 // repeated: name 1, epoch 2, base 3, acked 4
	fieldLostEvents   protowire.Number = 9
	fieldLostAttempts protowire.Number = 10
	fieldWall         protowire.Number = 11
	fieldAge          protowire.Number = 12
	fieldGap          protowire.Number = 13 // repeated: first 1, last 2, attempts 3
	fieldReleased     protowire.Number = 14
	fieldCut          protowire.Number = 15
)

// eachField calls visit for every field of a message; value is set for numbers, raw for bytes.
func eachField(message []byte, visit func(number protowire.Number, value uint64, raw []byte) error) error {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return errFrame
		}
		message = message[n:]
		var value uint64
		var raw []byte
		switch kind {
		case protowire.VarintType:
			value, n = protowire.ConsumeVarint(message)
		case protowire.BytesType:
			raw, n = protowire.ConsumeBytes(message)
		default:
			n = -1
		}
		if n < 0 {
			return errFrame
		}
		message = message[n:]
		if err := visit(number, value, raw); err != nil {
			return err
		}
	}
	return nil
}

func appendUint(buf []byte, number protowire.Number, value uint64) []byte {
	if value == 0 {
		return buf
	}
	return protowire.AppendVarint(protowire.AppendTag(buf, number, protowire.VarintType), value)
}

func appendBytes(buf []byte, number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(buf, number, protowire.BytesType), value)
}

func appendTime(buf []byte, number protowire.Number, t time.Time) []byte {
	return appendUint(buf, number, uint64(t.UnixNano()))
}

var errFrame = errors.New("damaged frame")
