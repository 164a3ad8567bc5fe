package graph

// item is what has a place in a layer: a node, or an edge that passes.
type item struct {
	node    int // -1: an edge passes
	at      int // its place in its layer, from 0
	in, out []*item
	middle  float64 // across the layer
}

type layered struct {
	next   [][]int // the nodes that a node leads to, without those that others imply
	level  []int   // the layer of each node
	layers [][]*item
	items  []*item // of the nodes
}

// layer puts each node into the layer after the last of those that lead to it. Those that nothing leads to stand right before the first
// that they lead to.
func layer(n int, edges [][2]int) *layered {
	edge := make([][]bool, n)
	for i := range edge {
		edge[i] = make([]bool, n)
	}
	for _, e := range edges {
		if a, b := e[0], e[1]; a != b && a >= 0 && b >= 0 && a < n && b < n {
			edge[a][b] = true
		}
	}
	order := sorted(edge)
	reduce(edge, order)
	g := &layered{next: make([][]int, n), level: make([]int, n)}
	first := make([]bool, n)
	for _, b := range order {
		first[b] = true
		for a := range n {
			if edge[a][b] {
				first[b] = false
				g.level[b] = max(g.level[b], g.level[a]+1)
			}
		}
	}
	for a := range n {
		nearest := n
		for b := range n {
			if edge[a][b] {
				g.next[a] = append(g.next[a], b)
				nearest = min(nearest, g.level[b]-1)
			}
		}
		if first[a] && len(g.next[a]) > 0 {
			g.level[a] = nearest
		}
	}
	return g
}

// sorted returns the nodes so that all edges lead forward. In a cycle, which there should be none of, the edges that lead back to its
// first node are removed.
func sorted(edge [][]bool) (order []int) {
	n := len(edge)
	leading := make([]int, n) // edges to each node from those that are not in order yet
	for a := range n {
		for b := range n {
			if edge[a][b] {
				leading[b]++
			}
		}
	}
	done := make([]bool, n)
	for len(order) < n {
		next := -1
		for i := range n {
			if !done[i] && (next < 0 || leading[next] > 0 && leading[i] == 0) {
				next = i
			}
		}
		for a := range n {
			if edge[a][next] && !done[a] {
				edge[a][next] = false
			}
		}
		done[next] = true
		order = append(order, next)
		for b := range n {
			if edge[next][b] {
				leading[b]--
			}
		}
	}
	return order
}

// reduce removes the edges that others imply.
func reduce(edge [][]bool, order []int) {
	n := len(edge)
	reach := make([][]bool, n) // by an edge or more
	for i := n - 1; i >= 0; i-- {
		a := order[i]
		reach[a] = make([]bool, n)
		for _, b := range order[i+1:] { // the nearest first
			switch {
			case !edge[a][b]:
			case reach[a][b]:
				edge[a][b] = false
			default:
				reach[a][b] = true
				for c := range n {
					reach[a][c] = reach[a][c] || reach[b][c]
				}
			}
		}
	}
}

// route gives each node its item, and the edges of a node that pass layers an item in each of these, which they share.
func (g *layered) route() {
	for i, l := range g.level {
		for len(g.layers) <= l {
			g.layers = append(g.layers, nil)
		}
		it := &item{node: i}
		g.items = append(g.items, it)
		g.layers[l] = append(g.layers[l], it)
	}
	for a, next := range g.next {
		last := g.items[a]
		farthest := 0
		for _, b := range next {
			farthest = max(farthest, g.level[b])
		}
		for l := g.level[a] + 1; l <= farthest; l++ {
			for _, b := range next {
				if g.level[b] == l {
					join(last, g.items[b])
				}
			}
			if l < farthest {
				pass := &item{node: -1}
				join(last, pass)
				g.layers[l] = append(g.layers[l], pass)
				last = pass
			}
		}
	}
}

func join(a, b *item) {
	a.out = append(a.out, b)
	b.in = append(b.in, a)
}
