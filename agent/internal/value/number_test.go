package value

import (
	"fmt"
	"testing"
)

// What a text starts with is read as far as it is digits, if there is one and fewer than eight.
func TestLeading(t *testing.T) {
	t.Parallel()
	for _, behind := range []string{"]: Failed", " ", ":", "/", "\x00", "\xb0\xb1", "\x80", "x1"} {
		for _, number := range []string{"0", "7", "42", "007", "4711", "65536", "999999", "4194304", "9999999"} {
			n, digits := Leading([]byte(number + behind + "12345678"))
			if got := fmt.Sprintf("%0*d", digits, n); got != number {
				t.Errorf("%q starts with %s", number+behind, got)
			}
		}
	}
	for _, text := range []string{"]: Failed", "12345678", "123456789", " 1234567", "\xb0234567890"} {
		if n, digits := Leading([]byte(text)); digits != 0 {
			t.Errorf("%q starts with %d", text, n)
		}
	}
}
