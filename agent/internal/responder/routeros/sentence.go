package routeros

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Bounds on what a router may send.
const (
	maxWord  = 64 << 10 // bytes
	maxWords = 256      // of a sentence
)

// writeWord writes a word behind its length, which takes one to five bytes; the first says how many
// (API, "API words").
func writeWord(w io.ByteWriter, word string) {
	put := func(bytes ...int) {
		for _, b := range bytes {
			w.WriteByte(byte(b)) // a bufio.Writer's error comes at Flush
		}
	}
	switch n := len(word); {
	case n < 0x80:
		put(n)
	case n < 0x4000:
		put(n>>8|0x80, n)
	case n < 0x200000:
		put(n>>16|0xc0, n>>8, n)
	case n < 0x10000000:
		put(n>>24|0xe0, n>>16, n>>8, n)
	default:
		put(0xf0, n>>24, n>>16, n>>8, n)
	}
	for i := range len(word) {
		w.WriteByte(word[i])
	}
}

// writeSentence writes words and the empty one that ends them.
func writeSentence(w io.ByteWriter, words ...string) {
	for _, word := range words {
		if word != "" { // it would end the sentence
			writeWord(w, word)
		}
	}
	writeWord(w, "")
}

// readWord reads one word.
func readWord(r *bufio.Reader) (string, error) {
	first, err := r.ReadByte()
	if err != nil {
		return "", err
	}
	n, more := uint64(first), 0
	switch {
	case first < 0x80:
	case first < 0xc0:
		n, more = n&0x3f, 1
	case first < 0xe0:
		n, more = n&0x1f, 2
	case first < 0xf0:
		n, more = n&0x0f, 3
	case first == 0xf0:
		n, more = 0, 4
	default:
		return "", fmt.Errorf("the router sends a control byte %#x, which this client does not know", first)
	}
	for range more {
		next, err := r.ReadByte()
		if err != nil {
			return "", unexpected(err)
		}
		n = n<<8 | uint64(next)
	}
	if n > maxWord {
		return "", fmt.Errorf("the router sends a word of %d bytes, more than %d", n, maxWord)
	}
	word := make([]byte, n)
	if _, err := io.ReadFull(r, word); err != nil {
		return "", unexpected(err)
	}
	return string(word), nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// reply is one sentence from a router.
type reply struct {
	word   string            // !done, !re, !trap, !fatal or !empty
	values map[string]string // attributes, and .tag
	text   string            // what is neither, as after !fatal
}

// readReply reads one sentence; empty ones are left out.
func readReply(r *bufio.Reader) (reply, error) {
	var one reply
	for words := 0; ; words++ {
		word, err := readWord(r)
		if err != nil {
			if words > 0 {
				err = unexpected(err)
			}
			return reply{}, err
		}
		switch {
		case word == "" && words > 0:
			return one, nil
		case word == "":
			words = -1
		case words == 0:
			one = reply{word: word, values: map[string]string{}}
		case words >= maxWords:
			return reply{}, fmt.Errorf("the router sends a sentence of more than %d words", maxWords)
		default:
			if rest, ok := strings.CutPrefix(word, "="); ok {
				key, value, _ := strings.Cut(rest, "=")
				one.values[key] = value
			} else if tag, ok := strings.CutPrefix(word, ".tag="); ok {
				one.values[".tag"] = tag
			} else {
				one.text = word
			}
		}
	}
}
