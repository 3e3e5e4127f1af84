package file

import (
	"bytes"
	"path/filepath"
	"strings"

	"github.com/pialert/pialert/agent/internal/source"
)

// enough is how many different lines of a file that is still there make its successor a copy of it. One or two
// could be a flood's, written within the same second before and after a rotation.
const enough = 3

// skipCopied moves the mark of a file of which nothing was read behind what it has of old, the file that it
// replaced: an editor, sed -i, or whoever trims a log writes a new one with lines of the old one. That was
// deleted, or has a name that no rotation gives: log~ of an editor, log.bak of sed -i.bak.
func (f *follower) skipCopied(g, old *generation, b *blocks) error {
	if old.file == nil {
		return nil
	}
	if old.unlinked {
		return g.skipLines(old, 1, b)
	}
	name, found := searchFile(f.path, old.fileID)
	if _, rotated := parseRotation(filepath.Base(f.path), filepath.Base(name)); !found || rotated {
		return nil
	}
	return g.skipLines(old, enough, b)
}

// skipLines moves the mark behind the last of the file's lines that is, byte for byte, among the last ones that were
// read of old, if there are so many different ones of those.
func (g *generation) skipLines(old *generation, least int, b *blocks) error {
	block := make([]byte, source.MaxLine)
	known, err := old.lastLines(block)
	if err != nil || len(known) == 0 {
		return err
	}
	next, missing := g.mark, least
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
			if again, ok := known[string(line)]; ok {
				next.Offset = offset
				if !again {
					known[string(line)] = true
					missing--
				}
			}
		}
		if end == 0 {
			offset += int64(n) // of a line that is too long to be handed on
		}
	}
	if missing > 0 {
		return nil
	}
	if err := g.verify(b, &next); err != nil {
		return err
	}
	g.mark = next
	return nil
}

// lastLines returns the last lines that were read, as far as they fit into block, all false.
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
		known[line] = false
	}
	return known, nil
}
