package task

import (
	"slices"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"skein.dev/skein/ui/graph"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// GraphView is how tasks depend on each other, on the page of one of them.
type GraphView struct {
	Own   wire.TaskID
	Nodes []Node
	Edges [][2]int // from what is done first, by the numbers of the nodes
	Left  []Node   // the next that are left out
	More  string   // how many are left out besides: "3 others"; "" for none
}

// Node is a task of a graph.
type Node struct {
	ID     wire.TaskID
	Title  string
	State  wire.TaskState
	After  []int // the nodes that it depends on
	Unseen int   // how many tasks it depends on that are none of these
}

// NewGraphView puts the graph of tasks together. left are the next that have no place in it, and more counts others, of which there may be
// still more than that if least is set.
func NewGraphView(own wire.TaskID, tasks, left []wire.Task, more int, least bool) GraphView {
	v := GraphView{Own: own}
	place := map[wire.TaskID]int{}
	for i := range tasks {
		place[tasks[i].ID] = i
	}
	for i := range tasks {
		n := nodeOf(&tasks[i])
		for _, id := range tasks[i].DependsOn {
			if at, ok := place[wire.TaskID(id)]; ok {
				n.After = append(n.After, at)
				v.Edges = append(v.Edges, [2]int{at, i})
			} else {
				n.Unseen++
			}
		}
		v.Nodes = append(v.Nodes, n)
	}
	for i := range left {
		v.Left = append(v.Left, nodeOf(&left[i]))
	}
	if more > 0 {
		v.More = words.Count(more, "other", "others")
	}
	if least {
		v.More = "at least " + v.More
	}
	return v
}

// Bounds of what a graph says, so that it fits a message: characters of a title, and the tasks that are named as those before another.
const (
	maxNodeTitle = 80
	maxAfter     = 5
)

func nodeOf(t *wire.Task) Node {
	return Node{ID: t.ID, Title: shorten(words.TaskTitle(t), maxNodeTitle), State: t.State}
}

func shorten(s string, limit int) string {
	if r := []rune(s); len(r) > limit {
		return strings.TrimSpace(string(r[:limit-1])) + "…"
	}
	return s
}

// Sizes of the drawing: layers stand beside each other, or below each other where there is no room for that.
var (
	beside  = graph.Size{Width: 172, Height: 44, Beside: 12, Between: 36}
	stacked = graph.Size{Width: 148, Height: 44, Beside: 12, Between: 30, Down: true}
)

// maxNodeName is how many characters of a title a node has room for.
var maxNodeName = map[bool]int{false: 16, true: 13}

func (v GraphView) layout(s graph.Size) graph.Layout { return graph.Lay(len(v.Nodes), v.Edges, s) }

func (v GraphView) ids() string {
	ids := make([]string, len(v.Nodes))
	for i, n := range v.Nodes {
		ids[i] = string(n.ID)
	}
	return strings.Join(ids, " ")
}

// byLayer are the nodes as they stand, those that are done first before others.
func (v GraphView) byLayer() []int {
	l := v.layout(beside)
	order := slices.Clone(l.Order)
	slices.SortStableFunc(order, func(a, b int) int { return l.Boxes[a].Layer - l.Boxes[b].Layer })
	return order
}

func (n Node) label() string { return n.Title + ", " + words.TaskWord(n.State) }

func (n Node) short(down bool) string { return shorten(n.Title, maxNodeName[down]) }

// after says what a task depends on; "": on nothing.
func (v GraphView) after(n Node) string {
	var names []string
	shown := n.After[:min(len(n.After), maxAfter)]
	for _, i := range shown {
		names = append(names, v.Nodes[i].Title)
	}
	if more := len(n.After) - len(shown); more > 0 {
		names = append(names, words.Count(more, "other", "others"))
	}
	if n.Unseen > 0 {
		names = append(names, words.Count(n.Unseen, "task that is not shown", "tasks that are not shown"))
	}
	if len(names) == 0 {
		return ""
	}
	return "after " + strings.Join(names, ", ")
}

// at are the attributes of what stands at a place in a drawing, with a size.
func at(x, y, width, height int) templ.Attributes {
	return templ.Attributes{"x": strconv.Itoa(x), "y": strconv.Itoa(y), "width": strconv.Itoa(width), "height": strconv.Itoa(height)}
}

// current marks the task whose page it is.
func current(own bool) templ.Attributes {
	if !own {
		return nil
	}
	return templ.Attributes{"aria-current": "true"}
}
