package screen

import "testing"

// An interrupt empties the terminal's queue of output: a sequence can end anywhere, and the next one begins.
func TestTornSequenceIsForgotten(t *testing.T) {
	s := New(4, 1)
	s.Write([]byte("\x1b\x1b[0ma\x1b[48;2;1"))
	s.Write([]byte("\x1b[0m\x1b[1mb"))
	if len(s.Mistakes) > 0 {
		t.Fatal(s.Mistakes)
	}
	if got := s.Cells[0][0]; got.Char != 'a' || got.Back.Set {
		t.Errorf("before: %+v", got)
	}
	if got := s.Cells[0][1]; got.Char != 'b' || !got.Bold || got.Back.Set {
		t.Errorf("after: %+v", got)
	}
}

func TestUnknownSequenceIsAMistake(t *testing.T) {
	s := New(4, 1)
	s.Write([]byte("\x1b[3Z"))
	if len(s.Mistakes) != 1 {
		t.Errorf("mistakes: %q", s.Mistakes)
	}
}
