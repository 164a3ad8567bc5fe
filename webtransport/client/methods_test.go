package client_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"skein.dev/skein/webtransport/wire"
)

// unused are the methods that the client has no call for, and why.
var unused = map[string]string{
	wire.MethodAgentRender:    "it gives parts of this server's pages",
	wire.MethodArtifactRead:   "it is for models: a download has a lane of its own",
	wire.MethodArtifactRender: "it gives parts of this server's pages",
	wire.MethodTaskRender:     "it gives parts of this server's pages",
	wire.MethodMemoryRender:   "it gives parts of this server's pages",
	wire.MethodMemoryUnwatch:  "a watch has a lane of its own, and ends with it",
}

// TestTheClientHasEveryMethod compares the protocol's table of methods with those that the client's code asks for.
func TestTheClientHasEveryMethod(t *testing.T) {
	t.Parallel()
	value := map[string]string{} // of the constants that wire declares
	for _, f := range parseFolder(t, "../wire") {
		ast.Inspect(f, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == len(spec.Names) {
				for i, name := range spec.Names {
					if lit, ok := spec.Values[i].(*ast.BasicLit); ok && strings.HasPrefix(name.Name, "Method") {
						value[name.Name], _ = strconv.Unquote(lit.Value)
					}
				}
			}
			return true
		})
	}
	used := map[string]bool{}
	for _, f := range parseFolder(t, ".") {
		ast.Inspect(f, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				used[value[sel.Sel.Name]] = true
			}
			return true
		})
	}
	var names []string
	for _, m := range wire.Methods {
		names = append(names, m.Name)
		if why, not := unused[m.Name]; used[m.Name] == not {
			t.Errorf("%s: the client uses it: %t; the list of those that it does not says %q", m.Name, used[m.Name], why)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(unused)) {
		if !slices.Contains(names, name) {
			t.Errorf("the protocol has no method %s", name)
		}
	}
}

// parseFolder parses the Go files of a folder, without its tests.
func parseFolder(t *testing.T, dir string) (all []*ast.File) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	return all
}
