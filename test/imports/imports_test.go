package imports

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// pkg is a package as go list describes it.
type pkg struct {
	ImportPath   string
	Dir          string
	GoFiles      []string
	Imports      []string
	TestImports  []string
	XTestImports []string
	Deps         []string
}

// list returns the packages of the programs' module, by their path inside it.
func list(t *testing.T) map[string]pkg {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Dir,GoFiles,Imports,TestImports,XTestImports,Deps", "./...")
	command.Dir = "../.."
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	packages := map[string]pkg{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages[strings.TrimPrefix(p.ImportPath, module)] = p
	}
	if len(packages) < 20 {
		t.Fatalf("go list found only %d packages", len(packages))
	}
	return packages
}

// inside returns which of the imports are of this module, by their path inside it.
func inside(imports []string) (own []string) {
	for _, path := range imports {
		if own1, ok := strings.CutPrefix(path, module); ok {
			own = append(own, own1)
		}
	}
	return own
}

// program says which program a package belongs to; empty for neither.
func program(path string) string {
	top, _, _ := strings.Cut(path, "/")
	if top == "agent" || top == "display" {
		return top
	}
	return ""
}

// room returns the stage that a package belongs to, such as "agent/internal/spool" for that and for
// all below it; empty if it belongs to none.
func room(path string) string {
	parts := strings.SplitN(path, "/", 4)
	if program(path) == "" || len(parts) < 3 {
		return ""
	}
	return strings.Join(parts[:3], "/")
}

func TestImportsPointOneWay(t *testing.T) {
	for path, p := range list(t) {
		for _, to := range inside(slices.Concat(p.Imports, p.TestImports, p.XTestImports)) {
			if a, b := program(path), program(to); a != "" && b != "" && a != b {
				t.Errorf("%s imports %s: the programs know each other by pkg/ only", path, to)
			}
		}
		for _, to := range inside(p.Imports) {
			if problem := upward(path, to); problem != "" {
				t.Errorf("%s imports %s: %s", path, to, problem)
			}
		}
	}
}

// upward says what is wrong with an import inside the module; nothing if it points down.
func upward(from, to string) string {
	switch {
	case strings.HasPrefix(from, "proto/"):
		return "generated code imports nothing"
	case strings.HasPrefix(from, "pkg/") && !strings.HasPrefix(to, "pkg/") && !strings.HasPrefix(to, "proto/"):
		return "pkg/ stands below the programs"
	case program(from) == "":
		return ""
	case strings.HasPrefix(to, "packaging/") || strings.HasPrefix(to, "test/"):
		return "programs know neither packages nor tests"
	case room(from) == "" || room(to) == "" || room(from) == room(to):
		return ""
	}
	name := strings.TrimPrefix(room(to), program(from)+"/internal/")
	if slices.Contains(below[room(from)], name) || slices.Contains(below[from], name) {
		return ""
	}
	return "stages do not import each other; they meet in main"
}

func TestPureCoresImportNothing(t *testing.T) {
	packages := list(t)
	for _, path := range bare {
		p, ok := packages[path]
		if !ok {
			t.Errorf("%s is not there", path)
		}
		if own := inside(p.Imports); len(own) > 0 {
			t.Errorf("%s imports %v", path, own)
		}
	}
}

func TestFences(t *testing.T) {
	packages := list(t)
	for path, allowed := range fenced {
		var found []string
		for from, p := range packages {
			if slices.ContainsFunc(p.Imports, func(to string) bool { return strings.HasPrefix(to, path) }) {
				found = append(found, from)
			}
		}
		slices.Sort(found)
		for _, from := range found {
			if !slices.ContainsFunc(allowed, func(one string) bool { return within(one, from) }) {
				t.Errorf("%s imports %s, which only %v may", from, path, allowed)
			}
		}
		for _, from := range allowed {
			if !slices.ContainsFunc(found, func(one string) bool { return within(from, one) }) {
				t.Errorf("%s no longer imports %s: take it off the list", from, path)
			}
		}
	}
}

// within says whether a package is, or is below, another.
func within(above, path string) bool { return path == above || strings.HasPrefix(path, above+"/") }

func TestTablesAreTrue(t *testing.T) {
	packages := list(t)
	used := map[string][]string{}
	for path, p := range packages {
		for _, to := range inside(p.Imports) {
			if a, b := room(path), room(to); a != "" && b != "" && a != b {
				name := strings.TrimPrefix(b, program(a)+"/internal/")
				used[a], used[path] = append(used[a], name), append(used[path], name)
			}
		}
	}
	for stage, names := range below {
		for _, name := range names {
			if !slices.Contains(used[stage], name) {
				t.Errorf("%s no longer imports %s: take it off the list", stage, name)
			}
		}
	}
}

// No circle of rooms can be listed either: what stands below stands below for all.
func TestRoomsHaveAnOrder(t *testing.T) {
	var visit func(stage string, above []string)
	visit = func(stage string, above []string) {
		if slices.Contains(above, stage) {
			t.Fatalf("rooms stand on each other: %v", append(above, stage))
		}
		for _, name := range below[stage] {
			visit(program(stage)+"/internal/"+name, append(slices.Clone(above), stage))
		}
	}
	for _, stage := range slices.Sorted(maps.Keys(below)) {
		visit(stage, nil)
	}
}

func TestProgramsCarryNoTestTools(t *testing.T) {
	packages := list(t)
	for _, main := range []string{"agent", "display"} {
		for _, dep := range packages[main].Deps {
			if slices.ContainsFunc(unknownToPrograms, func(path string) bool {
				return dep == path || strings.HasSuffix(path, "/") && strings.HasPrefix(dep, path)
			}) {
				t.Errorf("%s carries %s", main, dep)
			}
		}
	}
}

// A stranger finds each folder of code on the map: in the picture, in the hops of a line, or after them.
func TestEveryFolderIsOnTheMap(t *testing.T) {
	const name = "docs/how-it-works.md"
	text, err := os.ReadFile("../../" + name)
	if err != nil {
		t.Fatal(err)
	}
	for _, parent := range []string{"agent/internal", "display/internal", "pkg", "test", "tools"} {
		folders, err := os.ReadDir("../../" + parent)
		if err != nil {
			t.Fatal(err)
		}
		for _, folder := range folders {
			if folder.IsDir() && !regexp.MustCompile(`\b`+folder.Name()+`\b`).Match(text) {
				t.Errorf("%s says nothing of %s/%s", name, parent, folder.Name())
			}
		}
	}
}
