package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// mutation is one small change of a source file: the bytes from start to end become text.
type mutation struct {
	target     *target
	file       string // relative to the repository
	function   string
	what       string // such as "< to <="
	ordinal    int    // which one of those that are alike: in the same function and line of text
	source     []byte
	start, end int
	text       string
}

// line returns the number and the text of the line that changes.
func (m mutation) line() (int, string) {
	from := bytes.LastIndexByte(m.source[:m.start], '\n') + 1
	text, _, _ := bytes.Cut(m.source[from:], []byte("\n"))
	return bytes.Count(m.source[:m.start], []byte("\n")) + 1, strings.TrimSpace(string(text))
}

func (m mutation) String() string {
	n, text := m.line()
	return fmt.Sprintf("%s:%d: %s: %s in %q", m.file, n, m.function, m.what, text)
}

// mutated returns the file with the change.
func (m mutation) mutated() []byte {
	return bytes.Join([][]byte{m.source[:m.start], m.source[m.end:]}, []byte(m.text))
}

// identity tells a change from all others, by nothing that moves when other code comes, goes or
// changes its file.
func (m mutation) identity() string {
	_, text := m.line()
	return fmt.Sprintf("%s\n%s\n%s\n%s\n%d", m.target.dir, m.function, m.what, text, m.ordinal)
}

// diff shows the change.
func (m mutation) diff() string {
	from := bytes.LastIndexByte(m.source[:m.start], '\n') + 1
	to := len(m.source)
	if at := bytes.IndexByte(m.source[m.end:], '\n'); at >= 0 {
		to = m.end + at
	}
	mark := func(sign, text string) string { return sign + strings.ReplaceAll(text, "\n", "\n"+sign) + "\n" }
	return mark("\t-", string(m.source[from:to])) + mark("\t+", string(m.source[from:m.start])+m.text+string(m.source[m.end:to]))
}

// mutations returns every change that can be made to a target's files.
func mutations(root string, t *target) ([]mutation, error) {
	paths, err := filepath.Glob(filepath.Join(root, t.dir, "*.go"))
	if err != nil {
		return nil, err
	}
	var all []mutation
	alike := map[string]int{}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, ".pb.go") {
			continue
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		found, err := inFile(source)
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", path, err)
		}
		for _, m := range found {
			m.target, m.file, m.source = t, filepath.Join(t.dir, filepath.Base(path)), source
			first := m.identity()
			m.ordinal = alike[first]
			alike[first]++
			all = append(all, m)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has nothing to change: correct tools/mutate/targets.go", t.dir)
	}
	return all, nil
}

// swapped says what an operator becomes.
var swapped = map[token.Token]token.Token{
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
	token.EQL: token.NEQ, token.NEQ: token.EQL, token.LAND: token.LOR, token.LOR: token.LAND,
	token.ADD: token.SUB, token.SUB: token.ADD, token.QUO: token.MUL,
}

// idle says whether what a statement returns means nothing to the caller: values beside an error, and
// the zero value beside false.
func idle(n *ast.ReturnStmt, of *ast.FuncType) bool {
	if len(n.Results) < 2 || of.Results == nil {
		return false
	}
	kind, _ := of.Results.List[len(of.Results.List)-1].Type.(*ast.Ident)
	last, _ := n.Results[len(n.Results)-1].(*ast.Ident)
	switch {
	case kind == nil:
		return false
	case kind.Name == "error":
		return last == nil || last.Name != "nil"
	case kind.Name == "bool" && last != nil && last.Name == "false":
		first, ok := n.Results[0].(*ast.BasicLit)
		return len(n.Results) == 2 && ok && first.Value == "0"
	}
	return false
}

// inFile returns the changes that can be made to a file.
func inFile(source []byte) (all []mutation, err error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "", source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	offset := func(p token.Pos) int { return files.Position(p).Offset }
	for _, declaration := range file.Decls {
		function, ok := declaration.(*ast.FuncDecl)
		if !ok || function.Body == nil {
			continue
		}
		change := func(from, to token.Pos, text, what string) {
			all = append(all, mutation{function: function.Name.Name, what: what, start: offset(from), end: offset(to), text: text})
		}
		var inspect func(body ast.Node, of *ast.FuncType)
		look := func(node ast.Node, of *ast.FuncType) bool {
			switch n := node.(type) {
			case *ast.FuncLit:
				inspect(n.Body, n.Type)
				return false
			case *ast.CallExpr:
				if made, ok := n.Fun.(*ast.Ident); ok && made.Name == "make" && len(n.Args) == 3 {
					inspect(n.Args[1], of)
					return false
				}
			case *ast.ReturnStmt:
				return !idle(n, of)
			case *ast.BinaryExpr:
				if other, ok := swapped[n.Op]; ok {
					change(n.OpPos, n.OpPos+token.Pos(len(n.Op.String())), other.String(), n.Op.String()+" to "+other.String())
				}
			case *ast.UnaryExpr:
				if n.Op == token.NOT {
					change(n.OpPos, n.OpPos+1, "", "! dropped")
				}
			case *ast.BasicLit:
				if value, err := strconv.Atoi(n.Value); n.Kind == token.INT && err == nil && value < 1<<16 {
					change(n.Pos(), n.End(), strconv.Itoa(value+1), n.Value+" to "+strconv.Itoa(value+1))
				}
			case *ast.ExprStmt:
				change(n.Pos(), n.End(), "", "call dropped")
			case *ast.AssignStmt:
				if n.Tok != token.DEFINE {
					change(n.Pos(), n.End(), "", "assignment dropped")
				}
			case *ast.IncDecStmt:
				change(n.Pos(), n.End(), "", n.Tok.String()+" dropped")
			case *ast.BranchStmt:
				if n.Label == nil && (n.Tok == token.CONTINUE || n.Tok == token.BREAK) {
					change(n.Pos(), n.End(), "", n.Tok.String()+" dropped")
				}
			case *ast.DeferStmt:
				return false // what is given back late is no behaviour of its own
			}
			return true
		}
		inspect = func(body ast.Node, of *ast.FuncType) {
			ast.Inspect(body, func(node ast.Node) bool { return look(node, of) })
		}
		inspect(function.Body, function.Type)
	}
	return all, nil
}
