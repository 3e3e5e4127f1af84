package spool

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// A spool is read by other versions than the one that wrote it, so a payload stays what it is: protobuf's wire format, with the
// numbers of the fields.
func TestAPayloadOnDisk(t *testing.T) {
	t.Parallel()
	f := frame{
		first: 5, count: 1, batch: []byte("\x0a\x01e"), attempts: 6, whole: true,
		changes: []change{{"a", []byte("b")}, {"c", nil}},
		ledger: ledger{
			epoch: 7, released: 3, consumers: []consumer{{"desk", 7, 1, 2}}, lost: Loss{8, 9}, cut: 4,
			gaps: []gap{{1, 2, 10}}, wall: time.Unix(0, 11), age: 12,
		},
	}
	want := strings.Join([]string{
		"\x08\x05",                        // the first number
		"\x18\x01",                        // how many events
		"\x20\x06",                        // their attempts
		"\x12\x03\x0a\x01e",               // the events
		"\x30\x01",                        // it has the whole state
		"\x2a\x06" + "\x0a\x01a\x12\x01b", // a key and its value
		"\x2a\x05" + "\x0a\x01c\x18\x01",  // a key that is deleted
		"\x38\x07",                        // the epoch
		"\x70\x03",                        // released
		"\x78\x04",                        // the cut
		"\x48\x08",                        // lost events
		"\x50\x09",                        // and their attempts
		"\x58\x0b",                        // the clock on the wall
		"\x60\x0c",                        // the age
		"\x42\x0c" + "\x0a\x04desk\x10\x07\x18\x01\x20\x02", // a consumer
		"\x6a\x06" + "\x08\x01\x10\x02\x18\x0a",             // a gap
	}, "")
	payload := f.appendPayload(nil)
	if string(payload) != want {
		t.Errorf("the payload is\n%x, want\n%x", payload, want)
	}
	var got frame
	if err := got.decodePayload(payload); err != nil || !reflect.DeepEqual(got, f) {
		t.Errorf("it is read as\n%+v, %v; want\n%+v", got, err, f)
	}
}
