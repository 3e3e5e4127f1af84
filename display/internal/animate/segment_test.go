package animate_test

import (
	"math"
	"strings"
	"testing"

	"github.com/pialert/pialert/display/internal/animate"
)

// drawn is the font as it looks, three rows per line of characters, each four columns wide.
var drawn = []struct{ chars, top, middle, bottom string }{
	{
		chars:  "0   1   2   3   4   5   6   7   8   9   -   _   = ",
		top:    " _       _   _       _   _   _   _   _            ",
		middle: "| |   |  _|  _| |_| |_  |_    | |_| |_|  _       _",
		bottom: "|_|   | |_   _|   |  _| |_|   | |_|  _|      _   _",
	},
	{
		chars:  "A   b   C   c   d   E   F   G   H   h   I   i   J ",
		top:    " _       _           _   _   _                    ",
		middle: "|_| |_  |    _   _| |_  |_  |   |_| |_    |       |",
		bottom: "| | |_| |_  |_  |_| |_  |   |_| | | | |   |   | |_|",
	},
	{
		chars:  "L   n   O   o   P   q   r   S   t   U   u   y   ",
		top:    "         _       _   _       _                   ",
		middle: "|    _  | |  _  |_| |_|  _  |_  |_  | |     |_| ",
		bottom: "|_  | | |_| |_| |     | |    _| |_  |_| |_|  _| ",
	},
}

// segments reads a drawn character.
func segments(top, middle, bottom string, column int) (cell uint8) {
	at := func(row string, offset int) bool {
		return column+offset < len(row) && row[column+offset] != ' '
	}
	for _, part := range []struct {
		lit bool
		bit uint8
	}{
		{at(top, 1), animate.SegmentA}, {at(middle, 0), animate.SegmentF}, {at(middle, 1), animate.SegmentG},
		{at(middle, 2), animate.SegmentB}, {at(bottom, 0), animate.SegmentE}, {at(bottom, 1), animate.SegmentD},
		{at(bottom, 2), animate.SegmentC},
	} {
		if part.lit {
			cell |= part.bit
		}
	}
	return cell
}

func TestEveryCharacterLooksAsDrawn(t *testing.T) {
	for _, line := range drawn {
		for column := 0; column < len(line.chars); column += 4 {
			char := line.chars[column : column+1]
			want := segments(line.top, line.middle, line.bottom, column)
			got, ok := animate.Word(char + "   ")
			if !ok || got[0] != want {
				t.Errorf("%s has segments %07b, drawn %07b", char, got[0], want)
			}
		}
	}
}

func TestWords(t *testing.T) {
	for _, word := range []string{"Hi", "Pi", "SSH", "FULL", "Err", "OFF", "----", "12E3", "", "HELP", "bye"} {
		if _, ok := animate.Word(word); !ok {
			t.Errorf("%q cannot be shown", word)
		}
	}
	for _, word := range []string{"HELLO", "WM", "a\x00", "ü", "\xff", "K"} {
		if cells, ok := animate.Word(word); ok {
			t.Errorf("%q is shown as %v", word, cells)
		}
	}
	hi, _ := animate.Word("Hi")
	middle, _ := animate.Word(" Hi ")
	if hi != middle {
		t.Errorf("Hi is not in the middle: %v", hi)
	}
}

func TestTotals(t *testing.T) {
	tests := map[uint64]string{
		0:                       "   0",
		7:                       "   7",
		17:                      "  17",
		100:                     " 100",
		9_999:                   "9999",
		10_000:                  "10E3",
		12_345:                  "12E3",
		99_999:                  "99E3",
		100_000:                 "10E4",
		123_456:                 "12E4",
		999_999:                 "99E4",
		1_234_567:               "12E5",
		99_999_999:              "99E6",
		123_456_789:             "12E7",
		1_234_567_890:           "12E8",
		10_000_000_000:          "10E9",
		99_999_999_999:          "99E9",
		100_000_000_000:         "1E11",
		999_999_999_999:         "9E11",
		1_000_000_000_000:       "1E12",
		9_999_999_999_999_999:   "9E15",
		1_000_000_000_000_000e3: "1E18",
		math.MaxUint64:          "1E19",
	}
	for n, text := range tests {
		want, ok := animate.Word(text)
		if got := animate.Total(n); !ok || got != want {
			t.Errorf("%d is shown as %s, want %q", n, show(got), text)
		}
	}
}

// FuzzTotalTellsTheTruth holds that what is shown is never more than the total, and less only by
// what the last digit shown stands for.
func FuzzTotalTellsTheTruth(f *testing.F) {
	for n := uint64(1); n < math.MaxUint64/10; n *= 10 {
		f.Add(n - 1)
		f.Add(n)
	}
	f.Add(uint64(math.MaxUint64))
	f.Fuzz(func(t *testing.T, n uint64) {
		text := show(animate.Total(n))
		mantissa, exponent, scientific := strings.Cut(strings.TrimLeft(text, " "), "E")
		shown, unit := number(t, mantissa), uint64(1)
		if scientific {
			if n <= 9999 || len(text) != 4 {
				t.Fatalf("%d is shown as %q", n, text)
			}
			for range number(t, exponent) {
				unit *= 10
			}
		}
		if shown*unit > n || n-shown*unit >= unit {
			t.Errorf("%d is shown as %q", n, text)
		}
	})
}

func number(t *testing.T, text string) (n uint64) {
	t.Helper()
	if text == "" {
		t.Fatal("a number without digits")
	}
	for _, char := range text {
		if char < '0' || char > '9' {
			t.Fatalf("%q is no number", text)
		}
		n = n*10 + uint64(char-'0')
	}
	return n
}

// show reads cells back, as a person would; S and O are read as digits, what is none as "?".
func show(cells [animate.Cells]uint8) string {
	var text strings.Builder
	for _, cell := range cells {
		char := byte('?')
		for _, candidate := range []byte(" 0123456789-_=ACEFHLPUbcdhinortuyG") {
			if segments, _ := animate.Word(string(candidate) + "   "); segments[0] == cell {
				char = candidate
				break
			}
		}
		text.WriteByte(char)
	}
	return text.String()
}
