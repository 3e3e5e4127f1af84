package attack

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// ErrInvalid is wrapped by every error that [Event.Check] returns.
var ErrInvalid = errors.New("invalid event")

func tooLong(field string, got, most int) error {
	return fmt.Errorf("%w: %s has %d bytes, at most %d are allowed", ErrInvalid, field, got, most)
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
