package header

import (
	"bytes"
	"encoding/json"
	"errors"
)

// Wrapped says whether a line starts as one that [Unwrap] may take.
func Wrapped(line []byte) bool {
	return len(line) > 40 && (line[0] == '{' || line[10] == 'T' && line[19] == '.' && line[0] == '2')
}

// Unwrap returns the line that another program keeps within one of its own, that of JSON in memory of its own:
// Docker's json-file ({"log":"...\n","stream":"stdout","time":"..."}) and Kubernetes' runtimes
// ("2025-01-31T12:00:00.123456789Z stdout F ...") have what a container wrote, `journalctl --output=json`
// the fields of an entry. The error is ErrUntrusted for an entry whose sender is not to be believed; with any other one
// the line is a line of its own.
func Unwrap(line []byte, trust *Trust) (inner []byte, err error) {
	switch {
	case len(line) < 16:
	case line[0] != '{':
		return unwrapCRI(line)
	case bytes.HasPrefix(line, []byte(`{"log":"`)) && bytes.Contains(line, []byte(`"time":"`)):
		return unwrapDocker(line)
	case bytes.Contains(line, []byte(`"__REALTIME_TIMESTAMP"`)):
		var e Entry
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, err
		}
		return e.AppendLine(nil, trust)
	}
	return nil, errNotWrapped
}

var errNotWrapped = errors.New("the line has no other one within")

// unwrapCRI takes off the time, the stream, and whether the line is whole (Kubernetes' CRI log format).
func unwrapCRI(line []byte) ([]byte, error) {
	const shortest, longest = len("2025-01-31T12:00:00.1Z"), len("2025-01-31T12:00:00.123456789+01:00")
	if len(line) <= longest {
		return nil, errNotWrapped
	}
	length := shortest + bytes.IndexByte(line[shortest:longest+1], ' ')
	stream, rest, ok := bytes.Cut(line[length+1:], []byte(" "))
	if !ok || length < shortest || line[19] != '.' || string(stream) != "stdout" && string(stream) != "stderr" || isoLength(line) != length {
		return nil, errNotWrapped
	}
	if whole := bytes.HasPrefix(rest, []byte("F ")); !whole && !bytes.HasPrefix(rest, []byte("P ")) {
		return nil, errNotWrapped
	}
	return rest[len("F "):], nil
}

func unwrapDocker(line []byte) ([]byte, error) {
	var entry struct {
		Log string `json:"log"`
	}
	if err := json.Unmarshal(line, &entry); err != nil {
		return nil, err
	}
	inner := []byte(entry.Log)
	if end := bytes.IndexByte(inner, '\n'); end >= 0 { // Docker keeps one line in one entry
		inner = inner[:end]
	}
	return inner, nil
}
