package history

import "time"

// stamp, flag, text and blob are the forms of Go's values in the file.

func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixNano()
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func text(s string) any {
	if s == "" {
		return nil
	}
	return []byte(s)
}

func blob(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}
