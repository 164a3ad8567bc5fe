package graph

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

var wide = Size{Width: 170, Height: 44, Beside: 12, Between: 40}

var narrow = Size{Width: 150, Height: 44, Beside: 12, Between: 32, Down: true}

// sound checks what each layout must hold to.
func sound(t *testing.T, name string, n int, edges [][2]int, s Size) Layout {
	t.Helper()
	l := Lay(n, edges, s)
	if len(l.Boxes) != n || len(l.Order) != n {
		t.Fatalf("%s: %d nodes have %d boxes, and %d are in order", name, n, len(l.Boxes), len(l.Order))
	}
	for i, a := range l.Boxes {
		if a.X < 0 || a.Y < 0 || a.X+s.Width > l.Width || a.Y+s.Height > l.Height {
			t.Errorf("%s: node %d stands at %+v, outside of %d × %d", name, i, a, l.Width, l.Height)
		}
		for j, b := range l.Boxes[:i] {
			if a.X < b.X+s.Width && b.X < a.X+s.Width && a.Y < b.Y+s.Height && b.Y < a.Y+s.Height {
				t.Errorf("%s: nodes %d and %d are on each other: %+v %+v", name, i, j, a, b)
			}
		}
	}
	for _, line := range l.Lines {
		if l.Boxes[line.From].Layer >= l.Boxes[line.To].Layer {
			t.Errorf("%s: the edge from %d to %d leads back", name, line.From, line.To)
		}
		if !slices.Contains(edges, [2]int{line.From, line.To}) {
			t.Errorf("%s: there is no edge from %d to %d", name, line.From, line.To)
		}
		passes(t, name, l, line, s)
	}
	// A drawing is at most as broad as all that stands in it would be in one layer, with room for each edge that passes.
	if across := n*(s.Width+s.Height+s.Beside) + n*n*(passing+s.Beside); l.Width > across+n*(s.Width+s.Between) || l.Height > across+n*(s.Height+s.Between) {
		t.Errorf("%s: it is %d × %d large", name, l.Width, l.Height)
	}
	return l
}

// passes checks that a line crosses no node in the layers that it passes.
func passes(t *testing.T, name string, l Layout, line Line, s Size) {
	t.Helper()
	for i := 2; i < len(line.points); i += 2 {
		p, q := line.points[i-1], line.points[i]
		for j, b := range l.Boxes {
			if min(p.x, q.x) < b.X+s.Width && b.X < max(p.x, q.x)+1 && min(p.y, q.y) < b.Y+s.Height && b.Y < max(p.y, q.y)+1 {
				t.Errorf("%s: the line from %d to %d passes through node %d: %v %v %+v", name, line.From, line.To, j, p, q, b)
			}
		}
	}
}

// ways counts the pairs of nodes of which one leads to the other, by one edge or more.
func ways(n int, edges [][2]int) (count int) {
	leads := make([][]bool, n)
	for i := range leads {
		leads[i] = make([]bool, n)
	}
	for _, e := range edges {
		leads[e[0]][e[1]] = true
	}
	for k := range n {
		for i := range n {
			for j := range n {
				leads[i][j] = leads[i][j] || leads[i][k] && leads[k][j]
			}
		}
	}
	for i := range n {
		for j := range n {
			if leads[i][j] {
				count++
			}
		}
	}
	return count
}

func TestLayout(t *testing.T) {
	var fan, chain, full [][2]int
	for i := range 59 {
		fan = append(fan, [2]int{0, i + 1})
		chain = append(chain, [2]int{i, i + 1})
		for j := range 60 {
			if j > i {
				full = append(full, [2]int{i, j})
			}
		}
	}
	for name, c := range map[string]struct {
		n      int
		edges  [][2]int
		layers []int // of the nodes, as far as they are named
		lines  int
	}{
		"nothing":               {0, nil, nil, 0},
		"one":                   {1, nil, []int{0}, 0},
		"a diamond":             {4, [][2]int{{0, 1}, {0, 2}, {1, 3}, {2, 3}}, []int{0, 1, 1, 2}, 4},
		"implied":               {3, [][2]int{{0, 1}, {1, 2}, {0, 2}}, []int{0, 1, 2}, 2},
		"twice":                 {2, [][2]int{{0, 1}, {0, 1}}, []int{0, 1}, 1},
		"it passes two":         {5, [][2]int{{0, 1}, {1, 2}, {2, 3}, {0, 4}, {4, 3}}, []int{0, 1, 2, 3, 1}, 5},
		"near what it leads to": {4, [][2]int{{0, 1}, {1, 2}, {3, 2}}, []int{0, 1, 2, 1}, 3},
		"outside":               {2, [][2]int{{0, 7}, {-1, 1}, {0, 0}, {0, 1}}, []int{0, 1}, 1},
		"a cycle":               {3, [][2]int{{0, 1}, {1, 2}, {2, 0}}, []int{0, 1, 2}, 2},
		"a cycle after one":     {4, [][2]int{{3, 0}, {0, 1}, {1, 2}, {2, 0}}, []int{1, 2, 3, 0}, 3},
		"a fan":                 {60, fan, nil, 59},
		"a chain":               {60, chain, nil, 59},
		"each after all others": {60, full, nil, 59},
	} {
		for _, size := range []Size{wide, narrow} {
			edges := slices.DeleteFunc(slices.Clone(c.edges), func(e [2]int) bool { return e[0] < 0 || e[1] >= c.n })
			l := sound(t, name, c.n, edges, size)
			l = Lay(c.n, c.edges, size)
			if len(l.Lines) != c.lines {
				t.Errorf("%s: %d lines, want %d", name, len(l.Lines), c.lines)
			}
			for i, want := range c.layers {
				if l.Boxes[i].Layer != want {
					t.Errorf("%s: node %d is in layer %d, want %d", name, i, l.Boxes[i].Layer, want)
				}
			}
		}
	}
}

// Whatever depends on whatever, the layout is sound, its lines lead wherever the edges do, and it is always the same.
func TestAnyGraphIsLaidOut(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 100 {
		n := 1 + r.IntN(60)
		var edges [][2]int
		for range r.IntN(4 * n) {
			a, b := r.IntN(n), r.IntN(n)
			if a != b {
				edges = append(edges, [2]int{min(a, b), max(a, b)})
			}
		}
		perm := r.Perm(n) // so that the order of the nodes says nothing
		for j, e := range edges {
			edges[j] = [2]int{perm[e[0]], perm[e[1]]}
		}
		for _, size := range []Size{wide, narrow} {
			name := fmt.Sprintf("graph %d", i)
			l := sound(t, name, n, edges, size)
			var drawn [][2]int
			for _, line := range l.Lines {
				drawn = append(drawn, [2]int{line.From, line.To})
			}
			if a, b := ways(n, edges), ways(n, drawn); a != b {
				t.Errorf("%s: %d pairs are tied, and %d by lines", name, a, b)
			}
			again := Lay(n, edges, size)
			for j := range l.Boxes {
				if again.Boxes[j] != l.Boxes[j] {
					t.Fatalf("%s: node %d stands elsewhere the second time", name, j)
				}
			}
		}
		if t.Failed() {
			return
		}
	}
}

// Two edges that could be drawn without a crossing are.
func TestCrossingsAreAvoided(t *testing.T) {
	g := layer(6, [][2]int{{0, 5}, {1, 4}, {2, 3}})
	g.route()
	g.number()
	if g.crossings() != 3 {
		t.Fatalf("as they come, %d pairs cross", g.crossings())
	}
	g.sort()
	if n := g.crossings(); n != 0 {
		t.Errorf("%d pairs cross", n)
	}
}

func TestPath(t *testing.T) {
	l := Lay(3, [][2]int{{0, 1}, {1, 2}}, Size{Width: 10, Height: 4, Beside: 2, Between: 6})
	if got, want := l.Lines[0].Path(), "M10 2C13 2 13 2 16 2m-5 -4L16 2l-5 4"; got != want {
		t.Errorf("the path is %s, want %s", got, want)
	}
}
