package config

import (
	"encoding"
	"errors"
	"fmt"
	"log/slog"
	"reflect"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// decoder reads a YAML tree into values. The YAML library's own way stops at the first mistake, and
// names Go's types in it.
type decoder struct {
	anchors  map[string]ast.Node
	mistakes []*Mistake
	depth    int
}

// maxDepth bounds how deep a file nests, aliases followed.
const maxDepth = 50

// decode reads a tree into the value that into points to. What cannot be read keeps its value, and
// is among the mistakes.
func decode(tree *ast.File, into any) []*Mistake {
	d := &decoder{anchors: map[string]ast.Node{}}
	read := false
	for _, document := range tree.Docs {
		if document.Body == nil || document.Body.Type() == ast.NullType || document.Body.Type() == ast.CommentType {
			continue
		}
		if read {
			d.refuse(document.Body, "there is a second document, behind ---: write all in one")
			continue
		}
		read = true
		d.value(document.Body, reflect.ValueOf(into).Elem(), "the file")
	}
	return d.mistakes
}

func (d *decoder) refuse(node ast.Node, format string, args ...any) {
	place := node.GetToken().Position
	d.mistakes = append(d.mistakes, &Mistake{place.Line, place.Column, fmt.Sprintf(format, args...)})
}

// value reads a node into v; name is its path, for mistakes.
func (d *decoder) value(node ast.Node, v reflect.Value, name string) {
	if d.depth++; d.depth > maxDepth {
		d.depth--
		d.refuse(node, "%s: it nests deeper than %d levels", name, maxDepth)
		return
	}
	defer func() { d.depth-- }()
	switch n := node.(type) {
	case *ast.AnchorNode:
		d.anchors[n.Name.String()] = n.Value
		node = n.Value
	case *ast.AliasNode:
		meant, ok := d.anchors[n.Value.String()]
		if !ok {
			anchor := "&" + n.Value.String()
			if holdsSecret(v.Type()) { // which began with a star
				anchor = hidden
			}
			d.refuse(node, "%s: there is no anchor %s before it", name, anchor)
			return
		}
		node = meant
	case *ast.TagNode:
		node = n.Value
	}
	before := reflect.New(v.Type()).Elem()
	before.Set(v)
	switch own := v.Addr().Interface().(type) {
	case yaml.NodeUnmarshaler:
		if !d.own(node, name, own.UnmarshalYAML(node)) {
			v.Set(before)
		}
		return
	case encoding.TextUnmarshaler:
		if !d.own(node, name, placed(node, v.Type(), own.UnmarshalText([]byte(scalar(node))))) {
			v.Set(before)
		}
		return
	}
	if node.Type() == ast.NullType {
		if v.Kind() != reflect.Struct {
			v.SetZero()
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(node, v.Elem(), name)
	case reflect.Struct:
		d.mapping(node, v, name)
	case reflect.Map:
		d.named(node, v, name)
	case reflect.Slice:
		d.list(node, v, name)
	default:
		d.scalar(node, v, name)
	}
}

// own takes what a type that reads itself says, and reports whether that is good.
func (d *decoder) own(node ast.Node, name string, err error) bool {
	var misplaced *valueError
	switch {
	case err == nil:
		return true
	case errors.As(err, &misplaced):
		d.mistakes = append(d.mistakes, &Mistake{misplaced.line, misplaced.column, name + ": " + misplaced.problem})
	default:
		d.refuse(node, "%s: %s", name, firstLine(err.Error()))
	}
	return false
}

// placed words the refusal of a text.
func placed(node ast.Node, t reflect.Type, err error) error {
	if err != nil && t == reflect.TypeFor[slog.Level]() {
		return fmt.Errorf("%q is no level: use debug, info, warn or error", scalar(node))
	}
	return err
}

// mapping reads keys into the fields that have their names.
func (d *decoder) mapping(node ast.Node, v reflect.Value, name string) {
	pairs, ok := pairsOf(node)
	if !ok {
		quoted := shorten(scalar(node))
		if holdsSecret(v.Type()) {
			quoted = hidden
		}
		d.refuse(node, "%s: %s is no mapping: write keys with values, such as %s: …", name, quoted, fields(v).names[0])
		return
	}
	known := fields(v)
	seen := map[string]int{}
	for _, pair := range pairs {
		if pair.Key.IsMergeKey() {
			d.value(pair.Value, v, name)
			continue
		}
		key := scalar(pair.Key)
		path := key
		if name != "the file" {
			path = name + "." + key
		}
		if d.again(seen, pair, path) {
			continue
		}
		field, ok := known.values[key]
		if !ok {
			d.refuse(pair.Key, "there is no %s%s", path, Meant(key, known.names))
			continue
		}
		if pair.Value != nil {
			d.value(pair.Value, field, path)
		}
	}
}

// again refuses a key that its mapping has in an earlier line.
func (d *decoder) again(seen map[string]int, pair *ast.MappingValueNode, path string) bool {
	if line := seen[path]; line > 0 {
		d.refuse(pair.Key, "%s: it stands in line %d already", path, line)
		return true
	}
	seen[path] = pair.Key.GetToken().Position.Line
	return false
}

// pairsOf returns the keys of a mapping with their values.
func pairsOf(node ast.Node) (pairs []*ast.MappingValueNode, ok bool) {
	switch n := node.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

// named reads a mapping whose keys the file chooses into a map with keys of text, beside what that has
// already. What is given of a key's value is read over what the map has there.
func (d *decoder) named(node ast.Node, v reflect.Value, name string) {
	pairs, ok := pairsOf(node)
	if !ok {
		d.refuse(node, "%s: %s is no mapping: write names with what holds for them", name, shorten(scalar(node)))
		return
	}
	all := reflect.MakeMap(v.Type())
	seen := map[string]int{}
	for _, key := range v.MapKeys() {
		all.SetMapIndex(key, v.MapIndex(key))
	}
	for _, pair := range pairs {
		key := scalar(pair.Key)
		if d.again(seen, pair, name+"."+key) {
			continue
		}
		one := reflect.New(v.Type().Elem()).Elem()
		if had := all.MapIndex(reflect.ValueOf(key)); had.IsValid() {
			one.Set(had)
		}
		if pair.Value != nil {
			d.value(pair.Value, one, name+"."+key)
		}
		all.SetMapIndex(reflect.ValueOf(key), one)
	}
	v.Set(all)
}

// list reads items into a new slice.
func (d *decoder) list(node ast.Node, v reflect.Value, name string) {
	sequence, ok := node.(*ast.SequenceNode)
	if !ok {
		quoted := shorten(scalar(node))
		if holdsSecret(v.Type()) {
			quoted = hidden
		}
		d.refuse(node, "%s: %s is no list: write its items in [ ], or in lines that begin with -", name, quoted)
		return
	}
	items := reflect.MakeSlice(v.Type(), len(sequence.Values), len(sequence.Values))
	for i, item := range sequence.Values {
		d.value(item, items.Index(i), fmt.Sprintf("%s[%d]", name, i))
	}
	v.Set(items)
}

// words is what a kind of value is called.
var words = map[reflect.Kind]string{
	reflect.Bool: "neither true nor false", reflect.Int: "no whole number", reflect.Int64: "no whole number", reflect.Uint16: "no number from 0 to 65535",
	reflect.Uint64: "no whole number from 0 on", reflect.Float64: "no number",
}

func (d *decoder) scalar(node ast.Node, v reflect.Value, name string) {
	if _, ok := node.(ast.ScalarNode); !ok {
		problem := "it is a list or a mapping, where one word is wanted"
		if _, mapping := pairsOf(node); mapping { // such as 2001:db8::7 within braces, as the YAML library reads it
			problem += "; if it has colons, put it in quotes"
		}
		d.refuse(node, "%s: %s", name, problem)
		return
	}
	if v.Kind() == reflect.String {
		v.SetString(scalar(node))
		return
	}
	read := reflect.New(v.Type())
	if err := yaml.NodeToValue(node, read.Interface()); err != nil {
		word, ok := words[v.Kind()]
		if !ok {
			word = "not understood"
		}
		d.refuse(node, "%s: %s is %s", name, shorten(scalar(node)), word)
		return
	}
	v.Set(read.Elem())
}

// scalar is the text of a node of one word.
func scalar(node ast.Node) string {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	}
	return node.GetToken().Value
}
