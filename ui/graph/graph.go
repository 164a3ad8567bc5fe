// Package graph lays out graphs whose edges all lead forward, in layers, as Sugiyama, Tagawa and Toda describe (1981): each node stands
// in the layer after the last of those that lead to it; the order within a layer avoids crossings; and an edge that passes a layer has a
// place of its own there, so that no edge crosses a node.
package graph

import (
	"fmt"
	"strings"
)

// Size is how large things are, in the units of the drawing.
type Size struct {
	Width, Height int  // of a node
	Beside        int  // between two nodes of a layer
	Between       int  // between two layers, for the edges
	Down          bool // layers stand below each other, not beside
}

// passing is how broad the place of an edge is that passes a layer.
const passing = 6

// Box is where a node stands: its upper left corner.
type Box struct {
	X, Y  int
	Layer int // from 0
}

// Line is an edge that is drawn, from one node to another, by their numbers.
type Line struct {
	From, To int
	points   []point
	down     bool
}

type point struct{ x, y int }

// Layout is a graph that is laid out. Boxes are in the order of the nodes. Lines are the edges without those that others imply: where a
// leads to b and b to c, none leads from a to c.
type Layout struct {
	Width, Height int
	Boxes         []Box
	Lines         []Line
	Order         []int // the nodes, layer by layer, as they stand
}

// Lay lays out n nodes. An edge leads from one node to another; what leads to no other node, or back to where it came from, is left out.
func Lay(n int, edges [][2]int, size Size) Layout {
	g := layer(n, edges)
	g.route()
	g.sort()
	return g.place(size)
}

// Path is the line as the d attribute of an SVG path, with an arrowhead.
func (l Line) Path() string {
	var b strings.Builder
	fmt.Fprintf(&b, "M%d %d", l.points[0].x, l.points[0].y)
	for i := 1; i < len(l.points); i++ {
		p, q := l.points[i-1], l.points[i]
		switch {
		case i%2 == 0: // along its place in a layer that it passes
			fmt.Fprintf(&b, "L%d %d", q.x, q.y)
		case l.down:
			m := (p.y + q.y) / 2
			fmt.Fprintf(&b, "C%d %d %d %d %d %d", p.x, m, q.x, m, q.x, q.y)
		default:
			m := (p.x + q.x) / 2
			fmt.Fprintf(&b, "C%d %d %d %d %d %d", m, p.y, m, q.y, q.x, q.y)
		}
	}
	end := l.points[len(l.points)-1]
	if l.down {
		fmt.Fprintf(&b, "m-4 -5L%d %dl4 -5", end.x, end.y)
	} else {
		fmt.Fprintf(&b, "m-5 -4L%d %dl-5 4", end.x, end.y)
	}
	return b.String()
}
