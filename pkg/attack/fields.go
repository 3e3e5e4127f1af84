package attack

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Fields is a codec: it is handed the fields of a detail in their order. An encoder reads what the
// pointers point to, a decoder sets it. Each field has the number that it has in event.proto and
// the name that it has in JSON.
type Fields interface {
	Text(number int, name string, value *string, most int) // of at most so many bytes
	Flag(number int, name string, value *bool)
	Number(number int, name string, value *uint64, most uint64) // at most so much
	Phase(number int, name string, value *Phase)
	Network(number int, name string, value *netip.Prefix, required bool) // the next number is its length's
	Span(number int, name string, value *time.Duration)                  // never negative
}

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

// detailType is a row of [details].
type detailType struct {
	zero   Detail
	encode func(Detail, Fields)
	decode func(Fields) Detail
	kinds  []Kind // what it can be the detail of; empty: any
}

// of makes the row of a type T.
func of[T Detail, P interface {
	*T
	fields(Fields)
}](kinds ...Kind) detailType {
	var zero T
	return detailType{
		zero:   zero,
		encode: func(d Detail, codec Fields) { copied := d.(T); P(&copied).fields(codec) },
		decode: func(codec Fields) Detail { var d T; P(&d).fields(codec); return d },
		kinds:  kinds,
	}
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

// checkDetail returns an error for the first field outside its bounds.
func checkDetail(d Detail) error {
	var c checker
	Encode(d, &c)
	return c.err
}

// checker is a codec that looks at bounds alone.
type checker struct{ err error }

func (c *checker) problem(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
	}
}

func (c *checker) Text(_ int, name string, value *string, most int) {
	if c.err == nil && len(*value) > most {
		c.err = tooLong(name, len(*value), most)
	}
}

func (c *checker) Flag(int, string, *bool) {}

func (c *checker) Number(_ int, name string, value *uint64, most uint64) {
	if *value > most {
		c.problem("%s %d is above %d", name, *value, most)
	}
}

func (c *checker) Phase(_ int, name string, value *Phase) {
	if !value.Valid() {
		c.problem("%s %d is unknown", name, uint8(*value))
	}
}

func (c *checker) Network(_ int, name string, value *netip.Prefix, required bool) {
	if required && !value.IsValid() {
		c.problem("it has no %s", name)
	}
}

func (c *checker) Span(_ int, name string, value *time.Duration) {
	if *value < 0 {
		c.problem("%s %v is negative", name, *value)
	}
}
