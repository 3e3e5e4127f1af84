package pattern

// op says what a node does with the text at its position.
type op uint8

const (
	opAccept    op = iota // the match ends here
	opLiteral             // these bytes
	opClass               // one character of a class
	opRepeat              // between min and max characters of a class
	opRun                 // opRepeat where only the longest run can match, and bytes can be counted for characters
	opUntil               // opRepeat, greedy, that a literal has to follow
	opChoice              // the first of several branches that leads to a match
	opSave                // remember the position
	opBeginText           // ^
	opEndText             // $
	opBeginLine           // (?m)^
	opEndLine             // (?m)$
	opWord                // \b
	opNotWord             // \B
)

// node is one step of a match; next is the step after it. The steps form a graph in which
// branches meet again, and in which a choice that repeats a group leads back to itself. What every
// match looks at stands first, in one line of the processor's cache.
type node struct {
	op         op
	printable  bool // of opRun: the class has every byte above the space
	lazy       bool
	possessive bool // of opRepeat: only the longest run can lead to a match
	loop       bool
	slot       int32 // of opSave; of opRun: the first of two if the run is a group, else 0
	min, max   int32 // of opRepeat, in characters; max is -1 where there is none
	next       *node
	literal    string
	class      *class
	viable     *[256]uint64 // of opChoice: the branches, as bits, that can start with a byte

	branches       []*node
	atEnd          uint64 // of opChoice: the branches that can match at the end of the text
	lowest, beyond int    // of opChoice: the range of slots that its branches save
	follow         *first // of opRepeat: what can come after it
	ahead          string // of opUntil: the literal that has to come after it
	rare           int    // of opUntil: place of the literal's rarest byte
}

// first is what a match from some node on can start with.
type first struct {
	byte   [256]bool
	accept bool // it can end right there, whatever comes
	assert bool // it can end right there if an assertion holds
	end    bool // it can end right there at the end of the text
}

// at says whether a match can start at a position.
func (f *first) at(text []byte, at int) bool {
	if f.accept || f.assert {
		return true
	}
	if at == len(text) {
		return f.end
	}
	return f.byte[text[at]]
}

func (f *first) join(other *first) {
	for b, ok := range other.byte {
		f.byte[b] = f.byte[b] || ok
	}
	f.accept = f.accept || other.accept
	f.assert = f.assert || other.assert
	f.end = f.end || other.end
}
