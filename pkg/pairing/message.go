package pairing

import (
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"
)

// maxMessage bounds a message of the other end, in bytes.
const maxMessage = 4096

// send writes one message, preceded by its length.
func send(w io.Writer, message proto.Message) error {
	_, err := protodelim.MarshalTo(w, message)
	return err
}

// receive reads one message and not a byte more.
func receive(r io.Reader, message proto.Message) error {
	err := protodelim.UnmarshalOptions{MaxSize: maxMessage}.UnmarshalFrom(byteReader{r}, message)
	if err != nil {
		return fmt.Errorf("cannot read its %s: %w", message.ProtoReflect().Descriptor().Name(), err)
	}
	return nil
}

// byteReader reads single bytes without reading ahead, which bufio would: what follows a
// message belongs to somebody else. A TLS connection has its own buffer, so this is cheap.
type byteReader struct{ io.Reader }

func (r byteReader) ReadByte() (byte, error) {
	var one [1]byte
	_, err := io.ReadFull(r.Reader, one[:])
	return one[0], err
}
