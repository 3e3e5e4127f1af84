package routerostest

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

// ends reads a timeout such as 1w2d3h4m5s.
func (r *Router) ends(args map[string]string) (time.Time, bool) {
	text, given := args["timeout"]
	if !given {
		return time.Time{}, true
	}
	units := map[byte]time.Duration{'w': 7 * 24 * time.Hour, 'd': 24 * time.Hour, 'h': time.Hour, 'm': time.Minute, 's': time.Second}
	var total, n time.Duration
	for i := range len(text) {
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			n = n*10 + time.Duration(c-'0')
		case units[c] > 0:
			total, n = total+n*units[c], 0
		default:
			return time.Time{}, false
		}
	}
	return r.now().Add(total), total > 0 && n == 0
}

// span writes what is left of an entry.
func (r *Router) span(e *Entry) string {
	if e.Ends.IsZero() {
		return ""
	}
	left := int64(e.Ends.Sub(r.now()) / time.Second)
	days, clock := left/86400, left%86400
	if r.Clock {
		return fmt.Sprintf("=timeout=%dd%02d:%02d:%02d", days, clock/3600, clock/60%60, clock%60)
	}
	return fmt.Sprintf("=timeout=%dd%dh%dm%ds", days, clock/3600, clock/60%60, clock%60)
}

// sentence reads words up to the empty one.
func sentence(in *bufio.Reader) (words []string, err error) {
	for {
		first, err := in.ReadByte()
		if err != nil {
			return nil, err
		}
		var length [4]byte
		switch {
		case first == 0 && len(words) > 0:
			return words, nil
		case first == 0:
			continue
		case first&0x80 == 0:
			length[3] = first
		case first&0xc0 == 0x80:
			length[2] = first &^ 0xc0
			_, err = io.ReadFull(in, length[3:])
		case first&0xe0 == 0xc0:
			length[1] = first &^ 0xe0
			_, err = io.ReadFull(in, length[2:])
		default:
			err = fmt.Errorf("a word of more than 2 MiB")
		}
		if err != nil {
			return nil, err
		}
		word := make([]byte, binary.BigEndian.Uint32(length[:]))
		if _, err := io.ReadFull(in, word); err != nil {
			return nil, err
		}
		words = append(words, string(word))
	}
}

func writeWord(out *bufio.Writer, word string) {
	if len(word) < 0x80 {
		out.WriteByte(byte(len(word)))
	} else {
		out.Write(binary.BigEndian.AppendUint16(nil, uint16(len(word))|0x8000))
	}
	out.WriteString(word)
}
