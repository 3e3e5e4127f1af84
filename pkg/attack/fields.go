package attack

import (
	"net/netip"
	"time"
)

// Detail is what is particular to a family of kinds: a value of one of the types in this file.
// All of them are comparable.
//
// A new detail is a type with its two methods, a row in [details] and a message in event.proto;
// every codec reads its fields from there.
type Detail interface {
	// Number tells the details apart wherever they are stored or sent. It never changes.
	Number() uint8
}

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
