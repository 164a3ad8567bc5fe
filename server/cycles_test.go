package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// maxCycle is how many files of a package may depend on each other in a cycle. To change one of them, one has to read them all.
const maxCycle = 5

// largerCycles are the packages that still have a larger cycle, with the number of its files. The numbers may only go down.
var largerCycles = map[string]int{}

// uses has, for each file of a package, the other files that it uses, with one of the names that it uses.
type uses map[string]map[string]string

func TestFilesFormNoLargeCycles(t *testing.T) {
	t.Parallel()
	packages := listPackages(t)
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(packages[path].Export) })
	for _, path := range slices.Sorted(maps.Keys(packages)) {
		room, ours := strings.CutPrefix(path, module)
		if !ours {
			continue
		}
		u := fileUses(t, packages[path], fset, imports)
		cycle, may := u.largestCycle(), max(maxCycle, largerCycles[room])
		if len(cycle) > may {
			t.Errorf("%s: %d files depend on each other in a circle, and %d may:\n%s", room, len(cycle), may, u.within(cycle))
		}
		if n, listed := largerCycles[room]; listed && len(cycle) < n {
			t.Errorf("%s: the largest cycle has %d files: the table says %d, so lower that (or strike it at %d)", room, len(cycle), n, maxCycle)
		}
	}
	for room := range largerCycles {
		if packages[module+room].Dir == "" {
			t.Errorf("there is no package %s", room)
		}
	}
}

func TestLargestCycleOfFiles(t *testing.T) {
	t.Parallel()
	u := uses{"a": {"b": ""}, "b": {"c": ""}, "c": {"a": "", "d": ""}, "d": {"e": ""}, "e": {"d": ""}, "f": {"a": ""}}
	if got := u.largestCycle(); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("got %q", got)
	}
	if got := (uses{"a": {"b": ""}}).largestCycle(); len(got) > 1 {
		t.Errorf("got %q where there is no cycle", got)
	}
}

// goPackage is what go list reports about a package. Export is the file with its compiled types.
type goPackage struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
}

func listPackages(t *testing.T) map[string]goPackage {
	t.Helper()
	packages := map[string]goPackage{}
	d := json.NewDecoder(strings.NewReader(goList(t, "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles", "./...")))
	for {
		var p goPackage
		switch err := d.Decode(&p); {
		case errors.Is(err, io.EOF):
			return packages
		case err != nil:
			t.Fatal(err)
		}
		packages[p.ImportPath] = p
	}
}

// fileUses type-checks a package and finds in which file each used name is defined. It ignores files that templ generated.
func fileUses(t *testing.T, p goPackage, fset *token.FileSet, imports types.Importer) uses {
	t.Helper()
	var files []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	info := types.Info{Uses: map[*ast.Ident]types.Object{}}
	pkg, err := (&types.Config{Importer: imports}).Check(p.ImportPath, fset, files, &info)
	if err != nil {
		t.Fatal(err)
	}
	u := uses{}
	for id, o := range info.Uses {
		user, used := fset.Position(id.Pos()).Filename, fset.Position(o.Pos()).Filename
		if user != used && isDefinition(pkg, o) && !strings.HasSuffix(user, "_templ.go") && !strings.HasSuffix(used, "_templ.go") {
			u.add(filepath.Base(user), filepath.Base(used), o.Name())
		}
	}
	return u
}

// isDefinition reports whether o is a package-level name or a method of pkg. A struct field is neither: it is part of its type.
func isDefinition(pkg *types.Package, o types.Object) bool {
	if f, ok := o.(*types.Func); ok && f.Pkg() == pkg && f.Signature().Recv() != nil {
		return true
	}
	return o.Parent() == pkg.Scope()
}

func (u uses) add(user, used, name string) {
	if u[user] == nil {
		u[user] = map[string]string{}
	}
	if before, ok := u[user][used]; !ok || name < before {
		u[user][used] = name
	}
}

// largestCycle is the largest set of files each of which reaches all others.
func (u uses) largestCycle() []string {
	reach := map[string]map[string]bool{}
	for file := range u {
		reach[file] = map[string]bool{}
		u.follow(file, reach[file])
	}
	var largest []string
	for file, reached := range reach {
		cycle := []string{file}
		for other := range reached {
			if other != file && reach[other][file] {
				cycle = append(cycle, other)
			}
		}
		if len(cycle) > len(largest) {
			largest = cycle
		}
	}
	slices.Sort(largest)
	return largest
}

// follow adds each file that a file uses, directly or indirectly.
func (u uses) follow(file string, reached map[string]bool) {
	for used := range u[file] {
		if !reached[used] {
			reached[used] = true
			u.follow(used, reached)
		}
	}
}

// within lists the uses within a cycle, one of which has to be cut.
func (u uses) within(cycle []string) string {
	var b strings.Builder
	for _, user := range cycle {
		for _, used := range slices.Sorted(maps.Keys(u[user])) {
			if slices.Contains(cycle, used) {
				fmt.Fprintf(&b, "\t%s uses %s: %s\n", user, used, u[user][used])
			}
		}
	}
	return b.String()
}
