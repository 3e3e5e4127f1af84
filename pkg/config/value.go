package config

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// valueError says where a value stands that its type refuses; the YAML library does not.
type valueError struct {
	line, column int
	problem      string
}

func (e *valueError) Error() string { return e.problem }

// Scalar reads a node's text into a value, for UnmarshalYAML of types that are written as one word, and
// places its refusal.
func Scalar(node ast.Node, read func(text string) error) error {
	place := node.GetToken().Position
	text := node.GetToken().Value
	if err := read(text); err != nil {
		return &valueError{place.Line, place.Column, err.Error()}
	}
	return nil
}

// Listenable says whether a program can listen at a text: a host or nothing, a colon, and a port from 0
// to 65535, which stands for any that is free if it is 0.
func Listenable(address string) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil || strings.ContainsAny(host, "/ \t") {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

// Size is a number of bytes that a configuration writes as "64MiB", "1GiB" or plain "4096".
type Size int64

var sizes = []struct {
	suffix string
	bytes  int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}, {"", 1}}

// ParseSize accepts a whole number with B, KiB, MiB, GiB or nothing behind it.
func ParseSize(text string) (Size, error) {
	for _, unit := range sizes {
		number, ok := strings.CutSuffix(text, unit.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err != nil || n < 0 || n > (1<<62)/unit.bytes {
			break
		}
		return Size(n * unit.bytes), nil
	}
	return 0, fmt.Errorf("%q is no size: write a number and KiB, MiB or GiB, such as 64MiB", text)
}

// UnmarshalYAML reads what [ParseSize] accepts.
func (s *Size) UnmarshalYAML(node ast.Node) error {
	return Scalar(node, func(text string) (err error) {
		*s, err = ParseSize(text)
		return err
	})
}

// MarshalYAML writes the shortest whole form.
func (s Size) MarshalYAML() ([]byte, error) { return []byte(s.String()), nil }

func (s Size) String() string {
	for _, unit := range sizes[:3] {
		if s != 0 && int64(s)%unit.bytes == 0 {
			return fmt.Sprintf("%d%s", int64(s)/unit.bytes, unit.suffix)
		}
	}
	return fmt.Sprintf("%dB", int64(s)) // with a unit, so that it is text wherever it is written
}

// Duration is a time span that a configuration writes as Go does, and with days: "30s", "90m",
// "30d".
type Duration time.Duration

const day = 24 * time.Hour

// ParseDuration accepts what [time.ParseDuration] does and whole days, but no negative span.
func ParseDuration(text string) (Duration, error) {
	if number, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(number, 10, 16); err == nil {
			return Duration(time.Duration(n) * day), nil
		}
	}
	if span, err := time.ParseDuration(text); err == nil && span >= 0 {
		return Duration(span), nil
	}
	return 0, fmt.Errorf("%q is no time span: write a number and s, m, h or d, such as 30s or 7d", text)
}

// UnmarshalYAML reads what [ParseDuration] accepts.
func (d *Duration) UnmarshalYAML(node ast.Node) error {
	return Scalar(node, func(text string) (err error) {
		*d, err = ParseDuration(text)
		return err
	})
}

// MarshalYAML writes whole days as such and everything else as Go does, without zero units.
func (d Duration) MarshalYAML() ([]byte, error) { return []byte(d.String()), nil }

func (d Duration) String() string {
	span := time.Duration(d)
	if span > 0 && span%day == 0 {
		return fmt.Sprintf("%dd", span/day)
	}
	text := span.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
