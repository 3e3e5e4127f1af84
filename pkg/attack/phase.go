package attack

// Phase says where in its episode an event stands. The zero Phase is none and never valid.
type Phase uint8

// The phases of an episode: one start, any number of updates, one end.
const (
	PhaseStart  Phase = 1
	PhaseUpdate Phase = 2
	PhaseEnd    Phase = 3
)

// String returns the lower case name; it is empty for an invalid phase.
func (p Phase) String() string {
	if !p.Valid() {
		return ""
	}
	return [...]string{PhaseStart: "start", PhaseUpdate: "update", PhaseEnd: "end"}[p]
}

// Valid says whether p is one of the phases above.
func (p Phase) Valid() bool { return p >= PhaseStart && p <= PhaseEnd }
