package stderr_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pialert/pialert/pkg/stderr"
)

func TestTail(t *testing.T) {
	var tail stderr.Tail
	fmt.Fprint(&tail, "warning: \x1b[31mred\n")
	fmt.Fprint(&tail, "\thost \u202egone\u009b2J\xff\n\n")
	if got, want := tail.String(), `warning: \x1b[31mred host \u202egone\u009b2J\xff`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	n, err := tail.Write([]byte(strings.Repeat("x", 1<<20) + "the end"))
	if got := tail.String(); n != 1<<20+7 || err != nil || len(got) != 1024 || !strings.HasSuffix(got, "xthe end") {
		t.Errorf("of a long text %d bytes are kept, error %v", len(got), err)
	}
	fmt.Fprint(&tail, "!")
	if got := tail.String(); len(got) != 1024 || !strings.HasSuffix(got, "xthe end!") {
		t.Errorf("the end is %s", got[len(got)-20:])
	}
}
