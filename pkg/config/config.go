// Package config reads strict YAML into a struct that holds the defaults already.
//
// It promises that a configuration either is understood whole or refused with every reason at
// once, each with file, line and column: unknown keys, with the nearest that is known, keys given
// twice, values of the wrong type, and what the struct's own Validate says. Only where the text is
// no YAML, the first reason is all that there is. It refuses files above 1 MiB. It watches nothing
// and applies nothing: that is the caller's.
//
// Errors end up in logs. They quote neither the value of a [Secret] nor lines of the file, one of which
// may hold it.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxSize bounds a configuration file, in bytes.
const maxSize = 1 << 20

// Validator is implemented by a configuration that can judge its values. Its error may join
// several [FieldError].
type Validator interface{ Validate() error }

// FieldError says which field holds a value that cannot be used.
type FieldError struct {
	Path    string // YAML path below the top, such as "lamps[2].color"
	Value   any
	Problem string // what is wrong and what would be right
}

func (e *FieldError) Error() string {
	if e.Value == "" {
		return fmt.Sprintf("%s is empty: %s", e.Path, e.Problem)
	}
	return fmt.Sprintf("%s: %v: %s", e.Path, e.Value, e.Problem)
}

// Load reads the file at path into cfg, a pointer to a struct with yaml tags that holds the
// defaults. Keys that the file does not have keep their defaults. If cfg is a [Validator] it is
// asked. A file that does not exist gives an error that wraps [os.ErrNotExist].
func Load(path string, cfg any) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("cannot read the configuration: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxSize+1))
	if err != nil {
		return fmt.Errorf("cannot read the configuration %s: %w", path, err)
	}
	if len(text) > maxSize {
		return fmt.Errorf("cannot read the configuration %s: it is larger than %d bytes", path, maxSize)
	}
	return Parse(path, text, cfg)
}

// Parse is [Load] for text that is at hand; name stands for the file in errors.
func Parse(name string, text []byte, cfg any) error {
	tree, err := parse(text)
	if err != nil {
		return located(name, text, err)
	}
	mistakes := decode(tree, cfg)
	if validator, ok := cfg.(Validator); ok {
		for err := range Each(validator.Validate()) {
			mistake := &Mistake{Problem: err.Error()}
			var field *FieldError
			if errors.As(err, &field) {
				if place := find(tree, field.Path); place != nil {
					mistake.Line, mistake.Column = place.Line, place.Column
				}
			}
			mistakes = append(mistakes, mistake)
		}
	}
	return inOrder(name, mistakes)
}

// Unmarshal reads strict YAML into a value, without judging it. Its mistakes are [Mistake]s, joined.
func Unmarshal(text []byte, into any) error {
	tree, err := parse(text)
	if err != nil {
		return located("", text, err)
	}
	return inOrder("", decode(tree, into))
}

// parse reads YAML. The mark that some editors put before a file (UTF-8's byte order mark) is left out.
func parse(text []byte) (*ast.File, error) {
	return parser.ParseBytes(bytes.TrimPrefix(text, []byte("\ufeff")), 0, parser.AllowDuplicateMapKey()) // decode says all at once
}

// located puts the file's name before the YAML library's own line and column, and the line's key
// behind.
func located(name string, source []byte, err error) error {
	text := yaml.FormatError(err, false, false) // without an excerpt, which has values
	if rest, ok := strings.CutPrefix(text, "["); ok {
		if where, message, ok := strings.Cut(rest, "] "); ok {
			return errors.New(strings.TrimPrefix(fmt.Sprintf("%s:%s: %s%s", name, where, withoutValues(message), keyAt(source, where)), ":"))
		}
	}
	return errors.New(strings.TrimPrefix(fmt.Sprintf("%s: %s", name, withoutValues(text)), ": "))
}

// withoutValues takes what is quoted out of a message, unless it can only be a key.
func withoutValues(message string) string {
	quotedText := regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	quotedKey := regexp.MustCompile(`^"[\w.-]{1,64}"$`)
	return quotedText.ReplaceAllStringFunc(message, func(quoted string) string {
		if quotedKey.MatchString(quoted) {
			return quoted
		}
		return hidden
	})
}

// keyAt says which key begins the line of a place such as "3:7".
func keyAt(source []byte, place string) string {
	line, _, _ := strings.Cut(place, ":")
	n, err := strconv.Atoi(line)
	lines := strings.Split(string(source), "\n")
	if err != nil || n < 1 || n > len(lines) {
		return ""
	}
	lineKey := regexp.MustCompile(`^[ \t-]*([\w.-]{1,64})[ \t]*:(?:[ \t]|$)`)
	if key := lineKey.FindStringSubmatch(strings.TrimRight(lines[n-1], "\r")); key != nil {
		return fmt.Sprintf(", at the key %q", key[1])
	}
	return ""
}

// find returns the place of the value at a path, or of the nearest parent that the file has: a default
// can be wrong only together with a value that stands there.
func find(tree *ast.File, path string) *token.Position {
	for path != "" {
		if at, err := yaml.PathString("$." + path); err == nil {
			if node, err := at.FilterFile(tree); err == nil && node != nil {
				return node.GetToken().Position
			}
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return nil
}

// Locate returns the line and column of the value at a path in YAML text, or of the nearest parent
// that the text has; 1 and 1 if it has none.
func Locate(text []byte, path string) (line, column int) {
	if tree, err := parse(text); err == nil {
		if place := find(tree, path); place != nil {
			return place.Line, place.Column
		}
	}
	return 1, 1
}

// Each lists the errors that were joined into one; none for nil.
func Each(err error) iter.Seq[error] {
	return func(yield func(error) bool) {
		each(err, yield)
	}
}

func each(err error, yield func(error) bool) bool {
	if err == nil {
		return true
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return yield(err)
	}
	for _, part := range joined.Unwrap() {
		if !each(part, yield) {
			return false
		}
	}
	return true
}
