package attack

import "fmt"

// Severity orders events by how much they matter. The zero Severity is none and never valid.
type Severity uint8

// The severities, in rising order. Their numbers are those of the proto enum.
const (
	Info   Severity = 1 // nothing was attempted: bans, visits, tests
	Low    Severity = 2 // someone looks around
	Medium Severity = 3 // someone tries a password
	High   Severity = 4 // someone uses a known hole, or floods
)

var severities = [...]string{Info: "info", Low: "low", Medium: "medium", High: "high"}

// ParseSeverity returns the severity of a name such as "medium".
func ParseSeverity(name string) (Severity, error) {
	for s := Info; s.Valid(); s++ {
		if severities[s] == name {
			return s, nil
		}
	}
	return 0, fmt.Errorf("unknown severity %q: use info, low, medium or high", name)
}

// Valid says whether s is one of the severities above.
func (s Severity) Valid() bool { return s > 0 && int(s) < len(severities) }

// String returns the lower case name.
func (s Severity) String() string {
	if !s.Valid() {
		return fmt.Sprintf("severity(%d)", uint8(s))
	}
	return severities[s]
}

// MarshalText returns the name; it fails for an invalid severity.
func (s Severity) MarshalText() ([]byte, error) {
	if !s.Valid() {
		return nil, fmt.Errorf("cannot name severity %d", uint8(s))
	}
	return []byte(severities[s]), nil
}

// UnmarshalText accepts the names that MarshalText returns.
func (s *Severity) UnmarshalText(text []byte) error {
	parsed, err := ParseSeverity(string(text))
	if err == nil {
		*s = parsed
	}
	return err
}
