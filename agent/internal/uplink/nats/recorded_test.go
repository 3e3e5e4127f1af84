package nats

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/pialert/pialert/pkg/broker"
	"github.com/pialert/pialert/pkg/pairing"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// recorded is what the first programs that spoke to a broker said there; test/fleet records it.
const recorded = "../../../../test/fleet/testdata/stream"

// An agent understands what a display of the first version answers: a welcome, and that all is committed.
func TestRecordedReceipts(t *testing.T) {
	bubble(t, false, func(s *stage) {
		state := s.t.TempDir()
		for _, name := range []string{"identity.key", "peers.json"} {
			data, err := os.ReadFile(filepath.Join(recorded, "agent", name))
			s.must(err)
			s.must(os.WriteFile(filepath.Join(state, name), data, 0o600))
		}
		var err error
		s.agent, err = pairing.Open(state, pairing.Agent, "vps")
		s.must(err)
		receipts, err := os.ReadFile(filepath.Join(recorded, "receipts"))
		s.must(err)
		const last = 255 // number that is acknowledged: 250 attempts, and five events that say what they are together
		s.spool.Add(s.t, last)
		s.up.options.Keyring = s.agent
		peer := s.agent.Peers()[0]
		session := &session{delivery: newDelivery(&s.up.access, peer), to: peer.Public, sent: last}
		for n := 0; len(receipts) > 0; n++ {
			var subject, data []byte
			subject, receipts = field(s.t, receipts)
			data, receipts = field(s.t, receipts)
			s.up.own = broker.ID(strings.Split(string(subject), ".")[3])
			if n == 0 { // the first says whose it is
				_, raw, err := s.agent.Unseal(string(subject), data)
				s.must(err)
				var receipt pialertv1.Receipt
				s.must(proto.Unmarshal(raw, &receipt))
				copy(session.id[:], receipt.GetSession())
				session.epoch, s.spool.Epoch = receipt.GetEpoch(), receipt.GetEpoch()
			}
			s.must(session.take(data))
		}
		if !session.welcomed || s.spool.Acked != last {
			s.t.Errorf("welcomed %t, and %d of %d are acknowledged", session.welcomed, s.spool.Acked, last)
		}
	})
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
