package plural

import "testing"

func TestCount(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		"0 logs":      Count(0, "log"),
		"1 log":       Count(uint64(1), "log"),
		"2 logs":      Count(int64(2), "log"),
		"1 address":   Count(1, "address"),
		"7 addresses": Count(7, "address"),
		"1 entry":     Count(1, "entry"),
		"12 entries":  Count(12, "entry"),
		"27 days":     Count(27, "day"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
