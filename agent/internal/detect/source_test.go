package detect

import (
	"strings"
	"testing"

	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/pkg/attack"
)

func TestSources(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		typ    rule.Type
		format string
		want   string // in the error; "" if there is none
	}{
		{"", "", ""},
		{rule.TypeSSHD, "", ""},
		{rule.TypeAccess, "", ""},
		{rule.TypeAccess, "combined", ""},
		{rule.TypeAccess, `%h %l %u %t "%r" %>s %b`, ""},
		{rule.TypeAccess, "%h %", "cannot read x.log: "},
		{rule.TypeError, "combined", `a format needs the type "access", not "error"`},
		{"", "combined", `a format needs the type "access", not "auto"`},
		{"novel", "", `type "novel" is unknown: use one of [`},
	} {
		source, err := NewSource("x.log", test.typ, test.format)
		if test.want == "" && (err != nil || source.Name() != "x.log") || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("type %q, format %q: %v, want %q in it", test.typ, test.format, err, test.want)
		}
	}
	// The end of a long path tells more than its beginning.
	for _, n := range []int{attack.MaxName, attack.MaxName + 1} {
		name := strings.Repeat("d", n-4) + ".log"
		want := name
		if n > attack.MaxName {
			want = "…" + name[n-attack.MaxName+len("…"):]
		}
		if source, err := NewSource(name, "", ""); err != nil || source.Name() != want || len(want) != attack.MaxName {
			t.Errorf("the name of %d bytes is %q, %v; want %q", n, source.Name(), err, want)
		}
	}
}
