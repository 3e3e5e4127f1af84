// Package config reads strict YAML into a struct that holds the defaults already.
//
// It promises that a configuration either is understood whole or refused with every reason that
// can be found, each with file, line and column: unknown keys, keys given twice, values of the
// wrong type, and what the struct's own Validate says. It refuses files above 1 MiB. It watches
// nothing and applies nothing: that is the caller's.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
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
	tree, err := parser.ParseBytes(text, 0)
	if err != nil {
		return located(name, err)
	}
	// The YAML library turns a document without content into a zeroed struct.
	if !empty(tree) {
		if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(cfg); err != nil {
			return located(name, err)
		}
	}
	validator, ok := cfg.(Validator)
	if !ok {
		return nil
	}
	problem := validator.Validate()
	if problem == nil {
		return nil
	}
	var lines []error
	for err := range Each(problem) {
		where := name
		var field *FieldError
		if errors.As(err, &field) {
			where = position(name, tree, field.Path)
		}
		lines = append(lines, fmt.Errorf("%s: %w", where, err))
	}
	return errors.Join(lines...)
}

func empty(tree *ast.File) bool {
	for _, document := range tree.Docs {
		if document.Body != nil && document.Body.Type() != ast.NullType && document.Body.Type() != ast.CommentType {
			return false
		}
	}
	return true
}

// located puts the file's name before the YAML library's own line, column and excerpt.
func located(name string, err error) error {
	var misplaced *valueError
	if errors.As(err, &misplaced) {
		return fmt.Errorf("%s:%d:%d: %s", name, misplaced.line, misplaced.column, misplaced.problem)
	}
	text := yaml.FormatError(err, false, true)
	if rest, ok := strings.CutPrefix(text, "["); ok {
		if where, message, ok := strings.Cut(rest, "] "); ok {
			return fmt.Errorf("%s:%s: %s", name, where, message)
		}
	}
	return fmt.Errorf("%s: %s", name, text)
}

// position names the line of the value at a path, or of the nearest parent that the file has: a
// default can be wrong only together with a value that stands there.
func position(name string, tree *ast.File, path string) string {
	for path != "" {
		if at, err := yaml.PathString("$." + path); err == nil {
			if node, err := at.FilterFile(tree); err == nil && node != nil {
				place := node.GetToken().Position
				return fmt.Sprintf("%s:%d:%d", name, place.Line, place.Column)
			}
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return name
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
