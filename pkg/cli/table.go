package cli

import (
	"bufio"
	"io"
	"text/tabwriter"
)

// A Table aligns the columns of lines whose cells end with a tab. It is written when it is flushed, in large
// pieces: a [tabwriter.Writer] alone writes each cell by itself, which for the table of a fleet costs more than
// to make it.
type Table struct {
	*tabwriter.Writer
	out *bufio.Writer
}

// NewTable returns an empty Table that is written to w.
func NewTable(w io.Writer) *Table {
	out := bufio.NewWriterSize(w, 1<<16)
	return &Table{tabwriter.NewWriter(out, 0, 0, 2, ' ', 0), out}
}

// Flush writes the lines so far.
func (t *Table) Flush() error {
	if err := t.Writer.Flush(); err != nil {
		return err
	}
	return t.out.Flush()
}
