package rule

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pialert/pialert/pkg/attack"
)

// Names are cut to the bound of an event, and are what was written whatever shared their place before.
func TestNames(t *testing.T) {
	t.Parallel()
	var n Names
	for range 2 {
		for i := range 5000 {
			if want := fmt.Sprintf("user-%d", i); n.String([]byte(want)) != want {
				t.Fatalf("%q became another name", want)
			}
		}
	}
	if long := n.String([]byte(strings.Repeat("x", attack.MaxUser+1))); len(long) != attack.MaxUser {
		t.Errorf("a name of %d bytes, want %d", len(long), attack.MaxUser)
	}
	text := []byte("root")
	name := n.String(text)
	if text[0] = 'b'; name != "root" {
		t.Errorf("the name became %q with the line that it was read from", name)
	}
}
