package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

const module = "github.com/pialert/pialert/"

// field is one key of a configuration.
type field struct {
	key    string
	text   string // the comment, as one paragraph
	list   bool   // a list of what stands below
	fields []field
}

// reader reads structs from the source.
type reader struct{ root string }

// fields returns those of the struct of that name in the package in dir; none if it is no struct.
func (r *reader) fields(dir, name string) ([]field, error) {
	files, err := filepath.Glob(filepath.Join(r.root, dir, "*.go"))
	if err != nil {
		return nil, err
	}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, declaration := range file.Decls {
			general, _ := declaration.(*ast.GenDecl)
			if general == nil {
				continue
			}
			for _, spec := range general.Specs {
				typ, _ := spec.(*ast.TypeSpec)
				if typ == nil || typ.Name.Name != name {
					continue
				}
				if structure, ok := typ.Type.(*ast.StructType); ok {
					return r.structure(dir, file, structure)
				}
			}
		}
	}
	return nil, nil
}

func (r *reader) structure(dir string, file *ast.File, structure *ast.StructType) ([]field, error) {
	var fields []field
	keys := map[string]string{} // by the names in the code
	for _, f := range structure.Fields.List {
		if f.Tag == nil {
			continue
		}
		tag, err := strconv.Unquote(f.Tag.Value)
		if err != nil {
			return nil, err
		}
		key, option, _ := strings.Cut(reflect.StructTag(tag).Get("yaml"), ",")
		below, list, err := r.below(dir, file, f.Type)
		if err != nil {
			return nil, err
		}
		if option == "inline" {
			fields = append(fields, below...)
			continue
		}
		name := f.Names[0].Name
		keys[name] = key
		text := strings.Join(strings.Fields(f.Doc.Text()+" "+f.Comment.Text()), " ")
		fields = append(fields, field{key: key, text: withoutName(text, name), list: list, fields: below})
	}
	for i := range fields {
		fields[i].text = inConfiguration(fields[i].text, keys)
	}
	return fields, nil
}

// below returns the fields of a field's own type, if that is a struct of this module or a list of
// such.
func (r *reader) below(dir string, file *ast.File, typ ast.Expr) (fields []field, list bool, err error) {
	switch t := typ.(type) {
	case *ast.ArrayType:
		fields, _, err = r.below(dir, file, t.Elt)
		return fields, true, err
	case *ast.Ident:
		fields, err = r.fields(dir, t.Name)
	case *ast.SelectorExpr:
		for _, spec := range file.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			if inner, ok := strings.CutPrefix(path, module); ok && filepath.Base(path) == t.X.(*ast.Ident).Name {
				fields, err = r.fields(inner, t.Sel.Name)
			}
		}
	}
	return fields, false, err
}

// withoutName drops the name that Go's style puts first, and a verb that only serves it.
func withoutName(text, name string) string {
	for _, verb := range []string{"is", "says", "lists"} {
		if rest, ok := strings.CutPrefix(text, name+" "+verb+" "); ok {
			return strings.ToUpper(rest[:1]) + rest[1:]
		}
	}
	return text
}

// names are those that Go code has and English has not: ButtonShow.
var names = regexp.MustCompile(`\b[A-Z][a-z]+[A-Z]\w*`)

// references are the links of Go's documentation, and what a configuration calls their targets.
var references = strings.NewReplacer("[Config.Agents]", "agents", "[Config.Kinds]", "kinds", "[FirstAgent]", "first",
	"[OtherAgents]", "others", "[MaxLights]", "31", "[MaxDigits]", "8")

// inConfiguration turns the names of the code into those of the configuration.
func inConfiguration(text string, keys map[string]string) string {
	return names.ReplaceAllStringFunc(references.Replace(text), func(name string) string {
		if key, ok := keys[name]; ok {
			return key
		}
		return name
	})
}
