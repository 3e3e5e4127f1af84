// Command confref writes what a configuration file may hold, from the code that reads it: a
// commented sample and a table in Markdown. The words are the comments of the structs' fields,
// the values are what the program prints as its defaults, so neither can go stale.
//
//	confref -root .. -program agent -defaults FILE -sample FILE -markdown FILE -man FILE
package main

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

const module = "github.com/pialert/pialert/"

func main() {
	root := flag.String("root", "..", "the repository")
	program := flag.String("program", "", "agent or display")
	defaults := flag.String("defaults", "", "what config show prints without a configuration")
	sample := flag.String("sample", "", "file for the commented sample")
	markdown := flag.String("markdown", "", "file for the table")
	man := flag.String("man", "", "file for the manual page")
	flag.Parse()
	if err := run(*root, *program, *defaults, *sample, *markdown, *man); err != nil {
		fmt.Fprintln(os.Stderr, "confref:", err)
		os.Exit(1)
	}
}

// field is one key of the configuration.
type field struct {
	key    string
	text   string // the comment, as one paragraph
	list   bool   // a list of what stands below
	fields []field
}

func run(root, program, defaultsFile, sample, markdown, man string) error {
	fields, err := (&reader{root: root}).fields(program, "Config")
	if err != nil {
		return err
	}
	text, err := os.ReadFile(defaultsFile)
	if err != nil {
		return err
	}
	var defaults map[string]any
	if err := yaml.Unmarshal(text, &defaults); err != nil {
		return err
	}
	var yamlOut, tableOut, manOut bytes.Buffer
	fmt.Fprintf(&yamlOut, "# Configuration of pialert-%[1]s. Everything here is a default and may stay as it is: to change\n"+
		"# a value, remove the # in front of it and of the keys above it. `pialert-%[1]s config check`\n"+
		"# says whether the file can be used. The manual page is pialert-%[1]s.yaml(5).\n", program)
	writeSample(&yamlOut, fields, defaults, 0)
	writeTable(&tableOut, program, fields, defaults, "")
	writeMan(&manOut, program, fields, defaults)
	for path, content := range map[string]*bytes.Buffer{sample: &yamlOut, markdown: &tableOut, man: &manOut} {
		if err := os.WriteFile(path, content.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// reader reads structs from source.
type reader struct{ root string }

func (r *reader) fields(dir, name string) ([]field, error) {
	files, err := filepath.Glob(filepath.Join(r.root, dir, "*.go"))
	if err != nil {
		return nil, err
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, declaration := range file.Decls {
			general, ok := declaration.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range general.Specs {
				typ, ok := spec.(*ast.TypeSpec)
				if !ok || typ.Name.Name != name {
					continue
				}
				if structure, ok := typ.Type.(*ast.StructType); ok {
					return r.structure(dir, file, structure)
				}
				return nil, nil // a scalar with a name
			}
		}
	}
	return nil, nil
}

func (r *reader) structure(dir string, file *ast.File, structure *ast.StructType) ([]field, error) {
	var fields []field
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
		if strings.Contains(option, "inline") {
			fields = append(fields, below...)
			continue
		}
		fields = append(fields, field{key: key, text: comment(f), list: list, fields: below})
	}
	return fields, nil
}

// below returns the fields of a field's own type, if it is a struct of this module or a list of
// them.
func (r *reader) below(dir string, file *ast.File, typ ast.Expr) (fields []field, list bool, err error) {
	switch t := typ.(type) {
	case *ast.ArrayType:
		fields, _, err = r.below(dir, file, t.Elt)
		return fields, true, err
	case *ast.Ident:
		if t.Obj == nil && ast.IsExported(t.Name) || t.Obj != nil {
			fields, err = r.fields(dir, t.Name)
		}
		return fields, false, err
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

// comment returns a field's comment as one paragraph, without the name that Go's style puts first
// and without the links of Go's documentation.
func comment(f *ast.Field) string {
	text := strings.Join(strings.Fields(f.Doc.Text()+" "+f.Comment.Text()), " ")
	text = strings.NewReplacer("[Config.Agents]", "agents", "[Config.Kinds]", "kinds", "[FirstAgent]", "first",
		"[OtherAgents]", "others", "[MaxLights]", "31", "[MaxDigits]", "8").Replace(text)
	if len(f.Names) == 1 {
		for _, verb := range []string{" is ", " says ", " lists ", " bounds "} {
			if rest, ok := strings.CutPrefix(text, f.Names[0].Name+verb); ok && verb == " is " {
				text = strings.ToUpper(rest[:1]) + rest[1:]
			}
		}
	}
	return text
}

func wrap(text, prefix string, width int) string {
	var out strings.Builder
	line := prefix
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > width && line != prefix {
			out.WriteString(line + "\n")
			line = prefix
		}
		line += " " + word
	}
	return out.String() + line + "\n"
}

func writeSample(out *bytes.Buffer, fields []field, values map[string]any, depth int) {
	indent := strings.Repeat("  ", depth)
	for _, f := range fields {
		if depth == 0 {
			out.WriteByte('\n')
		}
		if f.text != "" {
			out.WriteString(wrap(f.text, indent+"#", 100))
		}
		value, ok := values[f.key]
		switch {
		case !f.list && len(f.fields) > 0:
			fmt.Fprintf(out, "#%s%s:\n", indent, f.key)
			inner, _ := value.(map[string]any)
			writeSample(out, f.fields, inner, depth+1)
		default:
			if f.list && len(f.fields) > 0 {
				out.WriteString(wrap("Of each: "+keys(f.fields)+".", indent+"#", 100))
			}
			if !ok {
				value = ""
			}
			out.WriteString(commented(map[string]any{f.key: value}, indent))
		}
	}
}

func keys(fields []field) string {
	var all []string
	for _, f := range fields {
		all = append(all, f.key)
	}
	return strings.Join(all, ", ")
}

// commented returns a value as YAML behind #.
func commented(value any, indent string) string {
	var text bytes.Buffer
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	encoder.Encode(value)
	var out strings.Builder
	for line := range strings.Lines(text.String()) {
		out.WriteString("#" + indent + line)
	}
	return out.String()
}

func writeTable(out *bytes.Buffer, program string, fields []field, values map[string]any, prefix string) {
	if prefix == "" {
		fmt.Fprintf(out, "# Configuration of pialert-%[1]s\n\n`/etc/pialert/%[1]s.yaml`. Every key has a default; unknown keys are refused. "+
			"Generated from the code by `make docs`.\n\n| key | default | meaning |\n|---|---|---|\n", program)
	}
	for _, f := range fields {
		value := values[f.key]
		text := strings.ReplaceAll(f.text, "|", "\\|")
		if !f.list && len(f.fields) > 0 {
			fmt.Fprintf(out, "| `%s%s` | | %s |\n", prefix, f.key, text)
			inner, _ := value.(map[string]any)
			writeTable(out, program, f.fields, inner, prefix+f.key+".")
			continue
		}
		fmt.Fprintf(out, "| `%s%s` | %s | %s |\n", prefix, f.key, brief(value), text)
		if f.list {
			writeTable(out, program, f.fields, nil, prefix+f.key+"[].")
		}
	}
}

// brief is a default in one cell.
func brief(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		if v == "" {
			return ""
		}
	case []any:
		if len(v) == 0 {
			return "none"
		}
		return fmt.Sprintf("%d of them, see the sample", len(v))
	case map[string]any:
		return "see the sample"
	}
	return fmt.Sprintf("`%v`", value)
}

func writeMan(out *bytes.Buffer, program string, fields []field, values map[string]any) {
	fmt.Fprintf(out, ".TH PIALERT-%[1]s.YAML 5 \"\" PiAlert PiAlert\n.SH NAME\n%[2]s.yaml \\- configuration of pialert\\-%[2]s\n"+
		".SH SYNOPSIS\n/etc/pialert/%[2]s.yaml\n.SH DESCRIPTION\nA YAML file. Every key has a default; a key that is unknown, given twice or of the wrong type is refused with its line. "+
		"\\fBpialert\\-%[2]s config check\\fR says whether the file can be used, \\fBpialert\\-%[2]s config show\\fR prints what is in force.\n.SH KEYS\n",
		strings.ToUpper(program), program)
	writeManKeys(out, fields, values, "")
	fmt.Fprintf(out, ".SH SEE ALSO\n\\fBpialert\\-%s\\fR(1)\n", program)
}

func writeManKeys(out *bytes.Buffer, fields []field, values map[string]any, prefix string) {
	roff := strings.NewReplacer("\\", "\\\\", "-", "\\-", "\n.", "\n\\&.", "'", "\\(aq")
	for _, f := range fields {
		fmt.Fprintf(out, ".TP\n\\fB%s\\fR\n%s\n", roff.Replace(prefix+f.key), roff.Replace(f.text))
		if value := strings.Trim(brief(values[f.key]), "`"); value != "" && (len(f.fields) == 0 || f.list) {
			fmt.Fprintf(out, "Default: %s.\n", roff.Replace(value))
		}
		if inner := f.fields; len(inner) > 0 {
			nested, _ := values[f.key].(map[string]any)
			suffix := "."
			if f.list {
				suffix = "[]."
			}
			writeManKeys(out, inner, nested, prefix+f.key+suffix)
		}
	}
}
