package value

import (
	"regexp"
	"testing"
)

// Every byte at every place of two times, one with the lowest digits and one with the highest.
func TestClock(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`(?s)^[0-9]{2}:[0-9]{2}:[0-9]{2}`)
	for _, text := range []string{"00:00:00", "99:99:99 and more", "12:34:56:"} {
		for at := range 8 {
			for b := range 256 {
				line := []byte(text)
				line[at] = byte(b)
				if got, want := IsTime(line), form.Match(line); got != want {
					t.Errorf("%q: %v, want %v", line, got, want)
				}
			}
		}
	}
	if IsTime([]byte("00:00:0")) {
		t.Error("seven bytes are a time")
	}
}
