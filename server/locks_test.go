package server

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each package comment must list the package's locks, what each guards, and in which order they are taken.
func TestPackagesDescribeTheirLocks(t *testing.T) {
	t.Parallel()
	for line := range strings.Lines(goList(t, "-f", "{{.ImportPath}} {{.Dir}}", "./server/...", "./webtransport/...")) {
		path, dir, _ := strings.Cut(strings.TrimSpace(line), " ")
		room := strings.TrimPrefix(path, module)
		if locks, described := locksOf(t, dir); locks > 0 && !described {
			t.Errorf("%s has %d locks: its package comment needs a section \"# Locks\"", room, locks)
		}
	}
}

// lockSection is the heading of the locks in a package comment.
var lockSection = regexp.MustCompile(`(?m)^(# )?Locks?\b`)

// locksOf counts the mutexes of the package in a folder, and reports whether its package comment describes them.
func locksOf(t *testing.T, dir string) (locks int, described bool) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		described = described || lockSection.MatchString(f.Doc.Text())
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && (s.Sel.Name == "Mutex" || s.Sel.Name == "RWMutex") {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "sync" {
					locks++
				}
			}
			return true
		})
	}
	return locks, described
}
