package pairing

import (
	"bytes"
	"io"
	"testing"

	"google.golang.org/protobuf/proto"

	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// FuzzReceive holds that no bytes of the other end make a message that is larger than allowed, or
// take more of the stream than the message.
func FuzzReceive(f *testing.F) {
	for _, message := range []proto.Message{
		&pialertv1.JoinRequest{Secret: make([]byte, SecretSize), Name: "desk", Role: pialertv1.Role_ROLE_DISPLAY},
		&pialertv1.JoinReply{Refusal: "no", Name: "web1"},
		&pialertv1.Greeting{NextKey: make([]byte, 32), StoredKey: make([]byte, 32)},
	} {
		var stream bytes.Buffer
		if err := send(&stream, message); err != nil {
			f.Fatal(err)
		}
		f.Add(append(stream.Bytes(), "what follows"...))
	}
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		for _, message := range []proto.Message{&pialertv1.JoinRequest{}, &pialertv1.JoinReply{}, &pialertv1.Greeting{}} {
			reader := bytes.NewReader(stream)
			if err := receive(reader, message); err != nil {
				continue
			}
			rest, _ := io.ReadAll(reader)
			taken := stream[:len(stream)-len(rest)]
			if len(taken) > maxMessage+10 {
				t.Errorf("a message of %d bytes was taken", len(taken))
			}
			again := message.ProtoReflect().New().Interface()
			if err := receive(bytes.NewReader(taken), again); err != nil || !proto.Equal(message, again) {
				t.Errorf("the same bytes without what follows: %v", err)
			}
		}
	})
}

// FuzzLearn holds that no greeting of a paired machine takes another's key or its own away.
func FuzzLearn(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, 32))
	f.Add(bytes.Repeat([]byte{1}, 32))
	f.Fuzz(func(t *testing.T, next []byte) {
		web1, web2, self := Fingerprint{1}, Fingerprint{2}, Fingerprint{3}
		state := keys{own: &identity{fingerprint: self}, peers: []Peer{
			{Name: "web1", Role: Agent, Key: web1}, {Name: "web2", Role: Agent, Key: web2},
		}}
		announced, err := parseNext(next)
		if err != nil {
			return
		}
		if err := state.setPeerKeys(web1, announced, false); err != nil {
			return
		}
		if state.byKey(web1) != 0 || state.byKey(web2) != 1 || state.byKey(self) != -1 {
			t.Errorf("the keys are %+v", state.peers)
		}
	})
}
