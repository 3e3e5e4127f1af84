package value

import (
	"fmt"
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

// Each of the three numbers at each value, beside the highest and the lowest of the others.
func TestSecondOfDay(t *testing.T) {
	t.Parallel()
	for n := range 100 {
		for _, clock := range [][3]int{{n, 0, 99}, {99, n, 0}, {0, 99, n}} {
			text := fmt.Sprintf("%02d:%02d:%02d and more", clock[0], clock[1], clock[2])
			if got, want := SecondOfDay([]byte(text)), int64(clock[0]*3600+clock[1]*60+clock[2]); got != want {
				t.Errorf("%s: %d, want %d", text, got, want)
			}
		}
	}
}
