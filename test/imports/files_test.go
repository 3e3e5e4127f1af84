package imports

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The files of a package have an order, too: what a file uses stands in files below it, so that a
// reader can begin at the bottom and never needs a file that comes later.
//
// A file uses another one if a declaration in it names something that the other declares at the top
// level: a type, a function, a constant or a variable. A method goes with its type. So its receiver is
// no use of the file that has the type, which may have methods in several files; nor is a call of a
// method a use of the file that has the method, beside the use of its type.
func TestFilesOfAPackageHaveAnOrder(t *testing.T) {
	for path, p := range list(t) {
		if strings.HasPrefix(path, "proto/") {
			continue // generated
		}
		used, err := uses(p)
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		for _, circle := range circles(used) {
			t.Errorf("%s: files use each other; move what is common below both, or pass it in:%s", path, used.between(circle))
		}
	}
}

// A rule that never finds anything holds nothing: this package has one circle, and beside it all that is none.
func TestUsesAmongFiles(t *testing.T) {
	written := map[string]string{
		"door.go": "package house\n\nimport \"example.org/wood\"\n\ntype Door struct{ lock lock; of wood.Oak }\n\n" +
			"func Open() Door { d := Door{lock: lock{}}; d.paint(); return d }\n",
		"lock.go":  "package house\n\ntype lock struct{ Door int }\n\nfunc (l lock) turn(key int) { key = hinges; l.Door = key }\n",
		"paint.go": "package house\n\nfunc (d *Door) paint() { lock := d.lock; lock.turn(1) }\n",
		"hinge.go": "package house\n\nconst hinges = 2\n\nfunc mount() { wood.Saw(func() { _ = Open() }) }\n",
	}
	p := pkg{ImportPath: "house", Dir: t.TempDir()}
	for name, text := range written {
		p.GoFiles = append(p.GoFiles, name)
		if err := os.WriteFile(filepath.Join(p.Dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	used, err := uses(p)
	if err != nil {
		t.Fatal(err)
	}
	found := circles(used)
	if len(found) != 1 || !slices.Equal(found[0], []string{"door.go", "hinge.go", "lock.go"}) {
		t.Fatalf("circles: %v", found)
	}
	const want = "\n\tdoor.go uses lock.go: Door names lock, Open names lock" +
		"\n\thinge.go uses door.go: mount names Open" +
		"\n\tlock.go uses hinge.go: turn names hinges"
	if got := used.between(found[0]); got != want {
		t.Errorf("got%s\nwant%s", got, want)
	}
	if used["paint.go"] != nil {
		t.Errorf("a receiver, its fields and what they have are no uses: %v", used["paint.go"])
	}
}

// files says what each file of a package uses of each other one: which declaration names what.
type files map[string]map[string]map[string]bool

func (f files) add(from, to, what string) {
	if f[from] == nil {
		f[from] = map[string]map[string]bool{}
	}
	if f[from][to] == nil {
		f[from][to] = map[string]bool{}
	}
	f[from][to][what] = true
}

// between describes the uses among some files.
func (f files) between(some []string) string {
	var b strings.Builder
	for _, from := range some {
		for _, to := range some {
			if what := slices.Sorted(maps.Keys(f[from][to])); len(what) > 0 {
				fmt.Fprintf(&b, "\n\t%s uses %s: %s", from, to, strings.Join(what, ", "))
			}
		}
	}
	return b.String()
}

// uses reads a package's files. What they import is not looked at, so that nothing has to be compiled:
// the package's own names are known without.
func uses(p pkg) (files, error) {
	fset := token.NewFileSet()
	var parsed []*ast.File
	for _, name := range p.GoFiles {
		file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, file)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: nothing{}, Error: func(error) {}}
	self, _ := config.Check(p.ImportPath, fset, parsed, info) // fails: of what is imported nothing is known

	used := files{}
	nameOf := func(at token.Pos) string { return filepath.Base(fset.Position(at).Filename) }
	for _, file := range parsed {
		from := nameOf(file.Package)
		for _, declaration := range file.Decls {
			for _, part := range partsOf(declaration) {
				ast.Inspect(part.tree, func(n ast.Node) bool {
					name, ok := n.(*ast.Ident)
					if !ok {
						return true
					}
					to := info.Uses[name]
					if to == nil || to.Parent() != self.Scope() || nameOf(to.Pos()) == from {
						return true
					}
					used.add(from, nameOf(to.Pos()), part.name+" names "+name.Name)
					return true
				})
			}
		}
	}
	return used, nil
}

// part is a declaration that has one name, without a receiver.
type part struct {
	name string
	tree ast.Node
}

func partsOf(declaration ast.Decl) (parts []part) {
	switch d := declaration.(type) {
	case *ast.FuncDecl:
		parts = append(parts, part{d.Name.Name, d.Type})
		if d.Body != nil {
			parts = append(parts, part{d.Name.Name, d.Body})
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				parts = append(parts, part{s.Name.Name, s})
			case *ast.ValueSpec:
				parts = append(parts, part{s.Names[0].Name, s})
			}
		}
	}
	return parts
}

// nothing imports no package.
type nothing struct{}

func (nothing) Import(string) (*types.Package, error) {
	return nil, errors.New("imports are not looked at")
}

// circles returns the files that use each other, directly or by way of others, each once: the strongly
// connected components with more than one file (R. Tarjan, Depth-first search and linear graph
// algorithms, SIAM Journal on Computing 1 (2), 1972).
func circles(used files) (found [][]string) {
	number, lowest := map[string]int{}, map[string]int{}
	var open []string
	var visit func(file string)
	visit = func(file string) {
		number[file] = len(number) + 1
		lowest[file] = number[file]
		open = append(open, file)
		for _, to := range slices.Sorted(maps.Keys(used[file])) {
			if number[to] == 0 {
				visit(to)
				lowest[file] = min(lowest[file], lowest[to])
			} else if slices.Contains(open, to) {
				lowest[file] = min(lowest[file], number[to])
			}
		}
		if lowest[file] == number[file] {
			begin := slices.Index(open, file)
			circle := slices.Clone(open[begin:])
			if open = open[:begin]; len(circle) > 1 {
				slices.Sort(circle)
				found = append(found, circle)
			}
		}
	}
	for _, file := range slices.Sorted(maps.Keys(used)) {
		if number[file] == 0 {
			visit(file)
		}
	}
	return found
}
