package graph

import (
	"math"
	"slices"
)

// place gives the items of each layer, in their order, coordinates, and the edges their lines.
func (g *layered) place(size Size) Layout {
	broad, deep := size.Height, size.Width
	if size.Down {
		broad, deep = size.Width, size.Height
	}
	total := g.spread(broad, size.Beside)
	at := func(layer int, middle float64) point { // where an item begins that has its middle there
		p := point{layer * (deep + size.Between), int(math.Floor(middle))}
		if size.Down {
			p.x, p.y = p.y, p.x
		}
		return p
	}
	l := Layout{Boxes: make([]Box, len(g.items)), Width: max(0, len(g.layers)*(deep+size.Between)-size.Between), Height: total}
	if size.Down {
		l.Width, l.Height = l.Height, l.Width
	}
	for i, it := range g.items {
		p := at(g.level[i], it.middle-float64(broad)/2)
		l.Boxes[i] = Box{X: p.x, Y: p.y, Layer: g.level[i]}
	}
	for _, layer := range g.layers {
		for _, it := range layer {
			if it.node >= 0 {
				l.Order = append(l.Order, it.node)
			}
		}
	}
	for a := range g.next {
		g.lines(a, deep, at, size.Down, &l.Lines)
	}
	return l
}

// lines makes the lines of the edges that lead from a node.
func (g *layered) lines(a, deep int, at func(int, float64) point, down bool, all *[]Line) {
	var walk func(it *item, layer int, points []point)
	walk = func(it *item, layer int, points []point) {
		end := at(layer, it.middle)
		if down {
			end.y += deep
		} else {
			end.x += deep
		}
		points = append(points, end)
		for _, next := range it.out {
			to := append(slices.Clone(points), at(layer+1, next.middle))
			if next.node < 0 {
				walk(next, layer+1, to)
			} else {
				*all = append(*all, Line{From: a, To: next.node, points: to, down: down})
			}
		}
	}
	walk(g.items[a], g.level[a], nil)
}

// rounds is how often the items are moved towards their neighbours.
const rounds = 6

// spread puts the items of each layer, of a breadth, beside each other, as near to the middle of their neighbours as the order allows. It
// returns how broad the drawing is.
func (g *layered) spread(broad, beside int) int {
	half := func(it *item) float64 {
		if it.node < 0 {
			return passing / 2
		}
		return float64(broad) / 2
	}
	apart := func(a, b *item) float64 { return half(a) + half(b) + float64(beside) }
	for _, layer := range g.layers {
		for i, it := range layer {
			it.middle = half(it)
			if i > 0 {
				it.middle = layer[i-1].middle + apart(layer[i-1], it)
			}
		}
	}
	for i := range rounds {
		for _, layer := range g.layers {
			settle(layer, i%2 == 0, apart)
		}
	}
	low, high := math.Inf(1), 0.0
	for _, layer := range g.layers {
		for _, it := range layer {
			low = min(low, it.middle-half(it))
		}
	}
	for _, layer := range g.layers {
		for _, it := range layer {
			it.middle -= math.Floor(low)
			high = max(high, it.middle+half(it))
		}
	}
	return int(math.Ceil(high))
}

// settle moves the items of a layer to the mean of their neighbours on one side. Where that would bring them too near to each other, they
// stand between where they would if each gave way to those before it, and to those after it.
func settle(layer []*item, in bool, apart func(a, b *item) float64) {
	if len(layer) == 0 {
		return
	}
	want := make([]float64, len(layer))
	for i, it := range layer {
		side := it.out
		if in {
			side = it.in
		}
		want[i] = it.middle
		if len(side) > 0 {
			sum := 0.0
			for _, o := range side {
				sum += o.middle
			}
			want[i] = sum / float64(len(side))
		}
	}
	after, before := slices.Clone(want), slices.Clone(want)
	for i := 1; i < len(layer); i++ {
		after[i] = max(after[i], after[i-1]+apart(layer[i-1], layer[i]))
	}
	for i := len(layer) - 2; i >= 0; i-- {
		before[i] = min(before[i], before[i+1]-apart(layer[i], layer[i+1]))
	}
	for i, it := range layer {
		it.middle = (after[i] + before[i]) / 2
	}
}
