package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/doctor"
	"skein.dev/skein/webtransport/wire"
)

// hostile clears the screen, sets the title, begins a line of its own and turns the text around.
const hostile = "a\x1b[2J\x1b]0;title\x07\u009b1A\r\x7fb\u202ec"

// fill sets every text of a record, however deep, to hostile, and gives every list and map one member.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(hostile)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Uint8 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			fill(v.Index(0))
		}
	case reflect.Map:
		k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(k)
		fill(e)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(k, e)
	}
}

func filled[T any]() *T {
	v := new(T)
	fill(reflect.ValueOf(v).Elem())
	return v
}

// TestWhatAnAgentChoseIsPrintedSafely passes records in which every text is hostile to each printer.
func TestWhatAnAgentChoseIsPrintedSafely(t *testing.T) {
	t.Parallel()
	task := func(change func(*wire.Task)) *wire.Task {
		v := filled[wire.Task]()
		change(v)
		return v
	}
	failed := task(func(t *wire.Task) { t.State, t.Orchestration = wire.TaskFailed, nil })
	tasks := []wire.Task{*failed,
		*task(func(t *wire.Task) { t.State, t.Position = wire.TaskSubmitted, 3 }),
		*task(func(t *wire.Task) { t.State, t.Orchestration = wire.TaskCompleted, nil }),
		*task(func(t *wire.Task) { t.State, t.Orchestration = wire.TaskWorking, nil })}
	agents := []wire.Agent{*filled[wire.Agent](), *filled[wire.Agent]()}
	agents[1].Status, agents[1].Activity, agents[1].Exit = wire.StatusRunning, wire.ActivityRequiresAction, nil
	events := []wire.Event{*filled[wire.Event](), {Type: hostile, Data: wire.EventData{Text: hostile + "\n" + hostile}}, {Data: wire.EventData{Activity: hostile, Text: hostile}}}
	entry := filled[wire.MemoryEntry]()
	asks := []wire.Ask{*filled[wire.Ask](), *filled[wire.Ask](), *filled[wire.Ask]()}
	asks[0].State, asks[1].State, asks[1].Kind, asks[2].Answer.Option = wire.AskPending, wire.AskPending, wire.AskTerminal, "none"

	for name, print := range map[string]func(*cobra.Command, *global) error{
		"ps": func(c *cobra.Command, g *global) error {
			return printAgents(c, g, &wire.ListResult{Agents: agents}, false)
		},
		"ps -q": func(c *cobra.Command, g *global) error {
			return printAgents(c, g, &wire.ListResult{Agents: agents}, true)
		},
		"inbox": func(c *cobra.Command, g *global) error {
			return printAsks(c, g, &wire.AskListResult{Asks: asks, Total: 9}, true)
		},
		"inbox --watch": func(c *cobra.Command, g *global) error {
			return errors.Join(printAskChange(c, g, &asks[0]), printAskChange(c, g, &asks[1]))
		},
		"inbox show": func(c *cobra.Command, _ *global) error {
			return errors.Join(printAsk(c.OutOrStdout(), &asks[0]), printAsk(c.OutOrStdout(), &asks[1]))
		},
		"inbox answer": func(c *cobra.Command, g *global) error { return printAnswered(c, g, asks, true) },
		"spawn":        func(c *cobra.Command, g *global) error { return printSpawned(c, g, filled[wire.SpawnResult]()) },
		"stop": func(c *cobra.Command, g *global) error {
			return printStopped(c, g, wire.StopParams{Type: hostile}, filled[wire.StopResult]())
		},
		"task ls": func(c *cobra.Command, g *global) error {
			return printTasks(c, g, &wire.TaskListResult{Tasks: tasks}, false)
		},
		"task get": func(c *cobra.Command, _ *global) error {
			for _, t := range tasks {
				if err := printTask(c.OutOrStdout(), &t); err != nil {
					return err
				}
			}
			return nil
		},
		"task watch": func(c *cobra.Command, g *global) error {
			l := taskLines{cmd: c, g: g, shown: map[wire.TaskID]string{}}
			return l.print(failed, false)
		},
		"task submit --wait": func(c *cobra.Command, _ *global) error { verdict(c, failed); return nil },
		"orchestrate":        func(c *cobra.Command, g *global) error { return printResult(c, g, *filled[wire.Result]()) },
		"artifact ls": func(c *cobra.Command, g *global) error {
			return printArtifacts(c, g, filled[wire.ArtifactListResult]())
		},
		"memory ls": func(c *cobra.Command, g *global) error {
			return printEntries(c, g, &wire.MemoryListResult{Entries: []wire.MemoryEntry{*entry}, Total: 1}, 0)
		},
		"memory watch": func(c *cobra.Command, g *global) error { return printChange(c, g, entry) },
		"logs --events": func(c *cobra.Command, g *global) error {
			for _, e := range events {
				if err := printEvent(c, g, e, true, false); err != nil {
					return err
				}
			}
			return nil
		},
		"doctor": func(c *cobra.Command, _ *global) error { return printReport(c.OutOrStdout(), filled[doctor.Report]()) },
		"a progress": func(c *cobra.Command, _ *global) error {
			c.Print((&progress{name: hostile, width: func() int { return 80 }}).line(1, 2))
			return nil
		},
	} {
		for _, asJSON := range []bool{false, true} {
			var out bytes.Buffer
			cmd := &cobra.Command{}
			cmd.SetOut(&out)
			cmd.SetErr(&out)
			cmd.SetContext(t.Context())
			if err := print(cmd, &global{json: asJSON}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if strings.ContainsFunc(strings.NewReplacer("\n", "", "\t", "").Replace(out.String()), wire.Unprintable) {
				t.Errorf("%s prints %q", name, out.String())
			}
			if out.Len() == 0 || !asJSON && strings.ContainsAny(out.String(), "{") {
				t.Errorf("%s prints %q", name, out.String())
			}
			if begin := strings.TrimSpace(out.String()); asJSON && strings.HasPrefix(begin, "{") {
				var v any
				if err := json.NewDecoder(&out).Decode(&v); err != nil {
					t.Errorf("%s --json: %v", name, err)
				} else if b, _ := json.Marshal(v); name != "a progress" && !strings.Contains(begin, `\u009b`) {
					t.Errorf("%s --json lost the text: %s", name, b)
				}
			}
		}
	}
}

func TestTheSafeFormShowsWhatWasThere(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain":             "plain",
		"審査 \u200fعربي 👩‍👧": "審査 \u200fعربي 👩‍👧",
		hostile:             `a\x1b[2J\x1b]0;title\a\u009b1A\r\x7fb\u202ec`,
		"a\nb\tc":           `a\nb\tc`,
		"\xff":              "\ufffd",
	} {
		if got := safe(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
	if got := safeText("a\n\tb\x1b"); got != "a\n\tb\\x1b" {
		t.Errorf("%q", got)
	}
}

// TestEverythingIsPrintedThroughTheTerminalFile checks that commands print other texts only if they are constants in the source.
func TestEverythingIsPrintedThroughTheTerminalFile(t *testing.T) {
	t.Parallel()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	for _, f := range files {
		name := f.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || name == "terminal.go" || name == "serve.go" {
			continue
		}
		tree, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if ok && strings.HasPrefix(sel.Sel.Name, "Print") && sel.Sel.Name != "Printable" && !fixed(call.Args) || ok && sel.Sel.Name == "AppendLine" {
				t.Errorf("%s: %s prints what it is given; use printf, printErrf, table, printJSON or printJSONLine", set.Position(call.Pos()), sel.Sel.Name)
			}
			return true
		})
		for _, imp := range tree.Imports {
			if imp.Path.Value == `"text/tabwriter"` {
				t.Errorf("%s: use table", set.Position(imp.Pos()))
			}
		}
	}
}

// fixed reports whether all arguments are constants in the source.
func fixed(args []ast.Expr) bool {
	for _, a := range args {
		if _, ok := a.(*ast.BasicLit); !ok {
			if id, ok := a.(*ast.Ident); !ok || id.Name != "clearScreen" {
				return false
			}
		}
	}
	return true
}
