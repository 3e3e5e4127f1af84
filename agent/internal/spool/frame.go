package spool

import (
	"encoding/binary"
	"hash/crc32"

	"google.golang.org/protobuf/encoding/protowire"
)

// A frame is one atomic commit. On disk it is
//
//	salt     8 bytes, little endian: the random number in the segment's file name
//	length   4 bytes, little endian: of the payload
//	checksum 4 bytes, little endian: CRC-32C of the length and the payload
//	payload  in protobuf's wire format, with the field numbers below
//
// The salt marks where a frame begins, so that reading can go on after damage. It is random
// because a fixed mark could be imitated: attackers write what events contain.
const (
	headerBytes = 16
	// maxFrame bounds a payload, and so what one commit may carry, in bytes.
	maxFrame = 32 << 20
)

// frame is a decoded payload. Its byte slices alias what it was decoded from.
type frame struct {
	first    uint64 // number of the first event, or of the next one if there is none
	batch    []byte // the events, as one marshalled pialert.v1.Batch
	count    int    // events in batch
	attempts uint64 // attempts that the events stand for
	changes  []change
	whole    bool // changes is the whole state, not what differs from the frame before
	ledger   ledger
}

// change sets a key of the state, or deletes it if value is nil.
type change struct {
	key   string
	value []byte
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendFrame appends f, header and payload, to buf.
func appendFrame(buf []byte, salt uint64, f *frame) []byte {
	start := len(buf)
	buf = append(buf, make([]byte, headerBytes)...)
	buf = f.appendPayload(buf)
	head, payload := buf[start:start+headerBytes], buf[start+headerBytes:]
	binary.LittleEndian.PutUint64(head, salt)
	binary.LittleEndian.PutUint32(head[8:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(head[12:], checksum(head, payload))
	return buf
}

// room returns about how many bytes f takes, rather too many than too few.
func (f *frame) room() int {
	const field = 16 // tags and lengths
	room := headerBytes + len(f.batch) + 1<<10
	for _, c := range f.changes {
		room += len(c.key) + len(c.value) + field
	}
	for _, c := range f.ledger.consumers {
		room += len(c.name) + 4*field
	}
	return room + len(f.ledger.gaps)*2*field
}

func checksum(head, payload []byte) uint32 {
	return crc32.Update(crc32.Checksum(head[8:12], castagnoli), castagnoli, payload)
}

func (f *frame) appendPayload(buf []byte) []byte {
	buf = appendUint(buf, fieldFirst, f.first)
	buf = appendUint(buf, fieldCount, uint64(f.count))
	buf = appendUint(buf, fieldAttempts, f.attempts)
	if len(f.batch) > 0 {
		buf = appendBytes(buf, fieldBatch, f.batch)
	}
	if f.whole {
		buf = appendUint(buf, fieldWhole, 1)
	}
	var nested []byte
	for _, c := range f.changes {
		nested = appendBytes(nested[:0], 1, []byte(c.key))
		if c.value == nil {
			nested = appendUint(nested, 3, 1)
		} else {
			nested = appendBytes(nested, 2, c.value)
		}
		buf = appendBytes(buf, fieldChange, nested)
	}
	return f.ledger.append(buf)
}

// parseFrame decodes the frame that begins at data[0] and returns its length on disk. It returns
// errFrame if there is none or it is damaged.
func parseFrame(data []byte, salt uint64) (f frame, size int, err error) {
	if len(data) < headerBytes || binary.LittleEndian.Uint64(data) != salt {
		return frame{}, 0, errFrame
	}
	length := uint64(binary.LittleEndian.Uint32(data[8:]))
	if length > maxFrame || length > uint64(len(data)-headerBytes) {
		return frame{}, 0, errFrame
	}
	payload := data[headerBytes : headerBytes+int(length)]
	if checksum(data, payload) != binary.LittleEndian.Uint32(data[12:]) {
		return frame{}, 0, errFrame
	}
	if err := f.decodePayload(payload); err != nil {
		return frame{}, 0, err
	}
	return f, headerBytes + int(length), nil
}

func (f *frame) decodePayload(payload []byte) error {
	err := eachField(payload, func(number protowire.Number, value uint64, raw []byte) error {
		switch number {
		case fieldFirst:
			f.first = value
		case fieldBatch:
			f.batch = raw
		case fieldCount:
			f.count = int(min(value, maxFrame))
		case fieldAttempts:
			f.attempts = value
		case fieldWhole:
			f.whole = value != 0
		case fieldChange:
			c, err := decodeChange(raw)
			f.changes = append(f.changes, c)
			return err
		default:
			return f.ledger.decode(number, value, raw)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if count, err := countEvents(f.batch); err != nil || count != f.count || f.first == 0 {
		return errFrame
	}
	return nil
}

func decodeChange(raw []byte) (c change, err error) {
	c.value = []byte{}
	err = eachField(raw, func(number protowire.Number, value uint64, raw []byte) error {
		switch number {
		case 1:
			c.key = string(raw)
		case 2:
			c.value = raw
		case 3:
			c.value = nil
		}
		return nil
	})
	return c, err
}

// countEvents returns how many events a marshalled Batch holds.
func countEvents(batch []byte) (count int, err error) {
	for len(batch) > 0 {
		size := eventBytes(batch)
		if size == 0 {
			return 0, errFrame
		}
		batch = batch[size:]
		count++
	}
	return count, nil
}

// eventTag is how each event begins in a marshalled Batch: field 1, length-delimited.
const eventTag = 1<<3 | byte(protowire.BytesType)

// eventBytes returns the length of the first event of a marshalled Batch, with its tag and
// length prefix, or 0 if there is no whole event.
func eventBytes(batch []byte) int {
	if len(batch) == 0 || batch[0] != eventTag {
		return 0
	}
	_, n := protowire.ConsumeBytes(batch[1:]) // below 0 if there are fewer
	return max(1+n, 0)
}
