package file

import (
	"bytes"
	"strings"

	"github.com/pialert/pialert/agent/internal/source"
)

// skipCopied moves the mark of a file of which nothing was read behind what it has of old, a deleted file in
// whose place it is: an editor, sed -i, or whoever trims a log, writes a new file with lines of the old one.
// Nothing is skipped if it has none of the last lines that were read.
func (g *generation) skipCopied(old *generation, b *blocks) error {
	if old.file == nil {
		return nil
	}
	block := make([]byte, source.MaxLine)
	known, err := old.lastLines(block)
	if err != nil || len(known) == 0 {
		return err
	}
	next := g.mark
	for offset := int64(0); ; {
		n, err := readAt(g.data, block, offset)
		if err != nil {
			return err
		}
		end := bytes.LastIndexByte(block[:n], '\n') + 1
		if end == 0 && n < len(block) {
			break
		}
		for line := range bytes.Lines(block[:end]) {
			offset += int64(len(line))
			if known[string(line)] {
				next.Offset = offset
			}
		}
		if end == 0 {
			offset += int64(n) // of a line that is too long to be handed on
		}
	}
	if err := g.verify(b, &next); err != nil {
		return err
	}
	g.mark = next
	return nil
}

// lastLines returns the last lines that were read, as far as they fit into block.
func (g *generation) lastLines(block []byte) (map[string]bool, error) {
	from := max(0, g.Offset-int64(len(block)))
	n, err := readAt(g.data, block[:g.Offset-from], from)
	if err != nil {
		return nil, err
	}
	text := string(block[:n])
	if from > 0 {
		_, text, _ = strings.Cut(text, "\n")
	}
	known := make(map[string]bool)
	for line := range strings.Lines(text) {
		known[line] = true
	}
	return known, nil
}
