package fleet

import (
	"encoding/binary"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go"
)

// record has the stream recorded anew, from the programs as they are: for a version of which other ones shall
// understand what it left with a broker.
var record = flag.Bool("record", false, "record testdata/stream anew")

// recorded is a stream of the first version that spoke to a broker: what an agent left there, and the keys of the
// display that it is sealed for, made for this and used nowhere else.
const recorded = "testdata/stream"

// recordedAttempts is how many attempts are in the recorded stream.
const recordedAttempts = 250

// keys are the files of a display's state that open what is sealed for it.
var keys = []string{"identity.key", "peers.json"}

// A display counts what an agent of the first version left with the broker.
func TestARecordedStream(t *testing.T) {
	if *record {
		recordStream(t)
	}
	address := inProcess(t)
	s := newStage(t, address, "")
	state := filepath.Join(s.Dir, "display")
	s.must(os.Mkdir(state, 0o700))
	for _, name := range keys {
		data, err := os.ReadFile(filepath.Join(recorded, name))
		s.must(err)
		s.must(os.WriteFile(filepath.Join(state, name), data, 0o600))
	}
	s.startDisplay()
	broker := newOwner(t, address)
	broker.stream(s.ctx, t)
	messages, err := os.ReadFile(filepath.Join(recorded, "messages"))
	s.must(err)
	for len(messages) > 0 {
		var subject, data []byte
		subject, messages = field(t, messages)
		data, messages = field(t, messages)
		_, err := broker.Publish(s.ctx, string(subject), data)
		s.must(err)
	}
	s.counts(recordedAttempts)
}

// field reads bytes behind their length.
func field(t *testing.T, text []byte) (value, rest []byte) {
	t.Helper()
	n, size := binary.Uvarint(text)
	if size <= 0 || uint64(len(text)-size) < n {
		t.Fatal("the recording is cut off")
	}
	return text[size:][:n], text[size:][n:]
}

// recordStream keeps what an agent sends, and the display's keys.
func recordStream(t *testing.T) {
	t.Helper()
	address := inProcess(t)
	s := newStage(t, address, "")
	drained := make(chan struct{})
	conn, err := nats.Connect(address, nats.ClosedHandler(func(*nats.Conn) { close(drained) }))
	s.must(err)
	var messages []byte
	_, err = conn.Subscribe("pialert.v1.events.>", func(m *nats.Msg) {
		for _, one := range [][]byte{[]byte(m.Subject), m.Data} {
			messages = append(binary.AppendUvarint(messages, uint64(len(one))), one...)
		}
	})
	s.must(err)
	s.start()
	s.attack(recordedAttempts)
	s.counted()
	s.must(conn.Drain())
	<-drained
	s.must(os.MkdirAll(recorded, 0o755))
	s.must(os.WriteFile(filepath.Join(recorded, "messages"), messages, 0o644))
	for _, name := range keys {
		data, err := os.ReadFile(filepath.Join(s.Dir, "display", name))
		s.must(err)
		s.must(os.WriteFile(filepath.Join(recorded, name), data, 0o644))
	}
}
