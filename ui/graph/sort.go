package graph

import (
	"cmp"
	"slices"
)

// sweeps is how often the layers are sorted, in both directions.
const sweeps = 8

// sort orders the items of each layer by the mean place of those in the layer before, and then of those in the layer after, again and
// again. The order with the fewest crossings stays.
func (g *layered) sort() {
	g.number()
	best, fewest := g.order(), g.crossings()
	for i := 0; i < sweeps && fewest > 0; i++ {
		for l := range g.layers {
			if i%2 == 1 {
				l = len(g.layers) - 1 - l
			}
			g.sortLayer(l, i%2 == 0)
		}
		if n := g.crossings(); n < fewest {
			best, fewest = g.order(), n
		}
	}
	g.layers = best
	g.number()
}

func (g *layered) number() {
	for _, layer := range g.layers {
		for i, it := range layer {
			it.at = i
		}
	}
}

func (g *layered) order() [][]*item {
	all := make([][]*item, len(g.layers))
	for i, l := range g.layers {
		all[i] = slices.Clone(l)
	}
	return all
}

// sortLayer orders a layer. Items without a neighbour on that side keep their place.
func (g *layered) sortLayer(l int, in bool) {
	mean := map[*item]float64{}
	for _, it := range g.layers[l] {
		side := it.out
		if in {
			side = it.in
		}
		mean[it] = float64(it.at)
		if len(side) > 0 {
			sum := 0
			for _, o := range side {
				sum += o.at
			}
			mean[it] = float64(sum) / float64(len(side))
		}
	}
	slices.SortStableFunc(g.layers[l], func(a, b *item) int { return cmp.Compare(mean[a], mean[b]) })
	for i, it := range g.layers[l] {
		it.at = i
	}
}

// crossings counts the edges between neighbouring layers that cross: the pairs of which one begins before the other and ends after it.
func (g *layered) crossings() (n int) {
	for l := 0; l+1 < len(g.layers); l++ {
		seen := make([]int, len(g.layers[l+1])+1) // a Fenwick tree of the ends so far
		total := 0
		for _, it := range g.layers[l] {
			for _, o := range it.out {
				n += total
				for i := o.at + 1; i > 0; i -= i & -i {
					n -= seen[i]
				}
			}
			for _, o := range it.out { // those that begin together do not cross
				total++
				for i := o.at + 1; i < len(seen); i += i & -i {
					seen[i]++
				}
			}
		}
	}
	return n
}
