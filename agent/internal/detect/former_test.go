package detect

import (
	"encoding/binary"
	"testing"

	"github.com/pialert/pialert/pkg/packed"
)

// TestTheFirstFormIsRestored takes back what the first agents saved of a log: its clock, whether it had
// stamps and ended within a line of a terminal's, what began, and its type.
func TestTheFirstFormIsRestored(t *testing.T) {
	for _, clock := range []int64{0, 1, 1_790_000_000, -62135596800} {
		for _, typ := range []string{"", "sshd", "access"} {
			value := binary.AppendVarint(nil, clock)
			value = packed.AppendBool(packed.AppendBool(value, true), false)
			value = append(packed.AppendText(value, "Failed pass"), typ...)
			var m memory
			if err := m.restoreLog(value); err != nil || !m.structured || m.carriage || string(m.partial) != "Failed pass" {
				t.Errorf("clock %d, type %q: %+v, error %v", clock, typ, m.partial, err)
			}
		}
	}
	var m memory
	if err := m.restoreLog([]byte("\x00\x01\x00\x00nonsense")); err == nil {
		t.Error("what is no type of a log was taken for one")
	}
}
