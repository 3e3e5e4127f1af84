package attack

import "slices"

// Encode hands the fields of a detail to a codec that reads them. A nil detail has none.
func Encode(d Detail, codec Fields) {
	if d != nil {
		details[d.Number()].encode(d, codec)
	}
}

// Decode returns the detail of a number with the fields that a codec sets, or nil if there is no
// such detail. Whether its fields are within their bounds is for [Event.Check] to say.
func Decode(number uint8, codec Fields) Detail {
	if number == 0 || int(number) >= len(details) {
		return nil
	}
	return details[number].decode(codec)
}

// Details returns a zero value of every detail, in the order of their numbers.
func Details() []Detail {
	all := make([]Detail, 0, len(details)-1)
	for _, known := range details[1:] {
		all = append(all, known.zero)
	}
	return all
}

// fits says whether a detail can be of a kind. What a newer program's kind has is not for this
// one to judge.
func fits(d Detail, kind Kind) bool {
	if d == nil || kind.Unknown() {
		return true
	}
	kinds := details[d.Number()].kinds
	return len(kinds) == 0 || slices.Contains(kinds, kind)
}
