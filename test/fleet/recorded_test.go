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

// recorded is what the first programs that spoke to a broker said there: what an agent left in the stream (events), what
// the display answered (receipts, which the agent's tests read), and the state of either, with keys that were made for this and are used nowhere else.
const recorded = "testdata/stream"

// recordedAttempts is how many attempts are in the recorded stream.
const recordedAttempts = 250

// keys are the files of a program's state that open what is sealed for it.
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
		data, err := os.ReadFile(filepath.Join(recorded, "display", name))
		s.must(err)
		s.must(os.WriteFile(filepath.Join(state, name), data, 0o600))
	}
	s.startDisplay()
	broker := newOwner(t, address)
	broker.stream(s.ctx, t)
	messages, err := os.ReadFile(filepath.Join(recorded, "events"))
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

// recordStream keeps what an agent and a display say, and their keys.
func recordStream(t *testing.T) {
	t.Helper()
	address := inProcess(t)
	s := newStage(t, address, "")
	drained := make(chan struct{})
	conn, err := nats.Connect(address, nats.ClosedHandler(func(*nats.Conn) { close(drained) }))
	s.must(err)
	said := map[string]*[]byte{"events": {}, "receipts": {}}
	for sort, messages := range said {
		_, err = conn.Subscribe("pialert.v1."+sort+".>", func(m *nats.Msg) {
			for _, one := range [][]byte{[]byte(m.Subject), m.Data} {
				*messages = append(binary.AppendUvarint(*messages, uint64(len(one))), one...)
			}
		})
		s.must(err)
	}
	s.start()
	s.attack(recordedAttempts)
	s.counted()
	s.must(conn.Drain())
	<-drained
	for sort, messages := range said {
		s.must(os.WriteFile(filepath.Join(recorded, sort), *messages, 0o644))
	}
	for _, role := range []string{"agent", "display"} {
		s.must(os.MkdirAll(filepath.Join(recorded, role), 0o755))
		for _, name := range keys {
			data, err := os.ReadFile(filepath.Join(s.Dir, role, name))
			s.must(err)
			s.must(os.WriteFile(filepath.Join(recorded, role, name), data, 0o644))
		}
	}
}
