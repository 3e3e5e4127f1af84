package wire

import (
	"net/netip"
	"sync"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/pialert/pialert/pkg/attack"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// A detail's field in the oneof of an event has the number of the detail and this.
const firstDetail = 15

// eventDetail is that oneof. It is looked for by name when the first event is read: most commands read none.
var eventDetail = sync.OnceValue(func() protoreflect.OneofDescriptor {
	return (&pialertv1.Event{}).ProtoReflect().Descriptor().Oneofs().ByName("detail")
})

func encodeDetail(message *pialertv1.Event, d attack.Detail) {
	if d == nil {
		return
	}
	outer := message.ProtoReflect()
	field := outer.Descriptor().Fields().ByNumber(firstDetail + protoreflect.FieldNumber(d.Number()))
	inner := outer.Mutable(field).Message()
	attack.Encode(d, &encoder{codec{inner, inner.Descriptor().Fields()}})
}

func decodeDetail(message *pialertv1.Event) (attack.Detail, error) {
	if message.GetDetail() == nil {
		return nil, nil
	}
	outer := message.ProtoReflect()
	field := outer.WhichOneof(eventDetail())
	inner := outer.Get(field).Message()
	d := decoder{codec: codec{inner, inner.Descriptor().Fields()}}
	detail := attack.Decode(uint8(field.Number()-firstDetail), &d)
	return detail, d.err
}

// codec is one detail's message.
type codec struct {
	message protoreflect.Message
	fields  protoreflect.FieldDescriptors
}

func (c *codec) field(number int) protoreflect.FieldDescriptor {
	return c.fields.ByNumber(protoreflect.FieldNumber(number))
}

func (c *codec) get(number int) protoreflect.Value { return c.message.Get(c.field(number)) }

// encoder sets the fields of the message; what is zero stays absent.
type encoder struct{ codec }

func (e *encoder) Text(number int, _ string, value *string, _ int) {
	if *value != "" {
		e.message.Set(e.field(number), protoreflect.ValueOfBytes([]byte(*value)))
	}
}

func (e *encoder) Flag(number int, _ string, value *bool) {
	if *value {
		e.message.Set(e.field(number), protoreflect.ValueOfBool(true))
	}
}

func (e *encoder) Number(number int, _ string, value *uint64, _ uint64) {
	if *value != 0 {
		e.set(number, *value)
	}
}

func (e *encoder) set(number int, value uint64) {
	field := e.field(number)
	if field.Kind() == protoreflect.Uint32Kind {
		e.message.Set(field, protoreflect.ValueOfUint32(uint32(value)))
		return
	}
	e.message.Set(field, protoreflect.ValueOfUint64(value))
}

func (e *encoder) Phase(number int, _ string, value *attack.Phase) {
	e.message.Set(e.field(number), protoreflect.ValueOfEnum(protoreflect.EnumNumber(*value)))
}

func (e *encoder) Network(number int, _ string, value *netip.Prefix, _ bool) {
	if value.IsValid() {
		e.message.Set(e.field(number), protoreflect.ValueOfBytes(value.Addr().AsSlice()))
		e.set(number+1, uint64(value.Bits()))
	}
}

func (e *encoder) Span(number int, _ string, value *time.Duration) {
	e.message.Set(e.field(number), protoreflect.ValueOfMessage(durationpb.New(*value).ProtoReflect()))
}

// decoder takes the fields from the message. Of what cannot be held by the Go type it keeps an
// error; other bounds are for [attack.Event.Check].
type decoder struct {
	codec
	err error
}

func (d *decoder) refuse(format string, args ...any) {
	d.err = invalid(format, args...)
}

func (d *decoder) Text(number int, _ string, value *string, _ int) {
	*value = string(d.get(number).Bytes())
}

func (d *decoder) Flag(number int, _ string, value *bool) { *value = d.get(number).Bool() }

func (d *decoder) Number(number int, name string, value *uint64, most uint64) {
	if *value = d.get(number).Uint(); *value > most {
		d.refuse("%s %d is above %d", name, *value, most)
	}
}

func (d *decoder) Phase(number int, _ string, value *attack.Phase) {
	n := d.get(number).Enum()
	if n > protoreflect.EnumNumber(attack.PhaseEnd) {
		n = protoreflect.EnumNumber(attack.PhaseUpdate)
	}
	*value = attack.Phase(max(n, 0)) // that there must be one is for Check to say
}

func (d *decoder) Network(number int, name string, value *netip.Prefix, _ bool) {
	addr, err := decodeAddr(d.get(number).Bytes())
	bits := d.get(number + 1).Uint()
	switch {
	case err != nil:
		d.refuse("%s: %v", name, err)
	case !addr.IsValid():
		return // whether there must be one is for Check to say
	case bits > uint64(addr.BitLen()):
		d.refuse("%s %s/%d", name, addr, bits)
	default:
		*value = netip.PrefixFrom(addr, int(bits))
	}
}

func (d *decoder) Span(number int, name string, value *time.Duration) {
	span, _ := d.get(number).Message().Interface().(*durationpb.Duration)
	if span == nil {
		return
	}
	if span.CheckValid() != nil {
		d.refuse("%s is out of range", name)
		return
	}
	*value = span.AsDuration()
}
