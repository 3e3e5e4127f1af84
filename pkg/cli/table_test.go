package cli

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// writes counts how often it is written to.
type writes struct {
	strings.Builder
	n int
}

func (c *writes) Write(p []byte) (int, error) {
	c.n++
	return c.Builder.Write(p)
}

func TestTable(t *testing.T) {
	t.Parallel()
	var out writes
	table := NewTable(&out)
	for i := range 1000 {
		fmt.Fprintf(table, "web-%d\tup\t%d\n", i, i)
	}
	if out.n != 0 {
		t.Errorf("%d writes before it is whole", out.n)
	}
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	if len(lines) != 1001 || lines[7] != "web-7    up  7" || lines[999] != "web-999  up  999" || lines[1000] != "" {
		t.Errorf("%d lines, among them %q and %q", len(lines), lines[7], lines[999])
	}
	if out.n > 1 {
		t.Errorf("%d bytes took %d writes", out.Len(), out.n)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestTableThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	table := NewTable(broken{})
	fmt.Fprintln(table, "a\tb")
	if err := table.Flush(); err == nil {
		t.Error("a table that could not be written is no error")
	}
}
