package wire_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"skein.dev/skein/webtransport/wire"
)

var update = flag.Bool("update", false, "write what is made from the table of methods")

// library is the list of the JavaScript library.
const library = "../../static/client/methods.js"

// TestTheLibrarysMethodsAreFresh compares the JavaScript library's list with the table.
func TestTheLibrarysMethodsAreFresh(t *testing.T) {
	var races, repeatable []string
	for _, m := range wire.Methods {
		if m.Races {
			races = append(races, m.Name)
		}
		if m.Lane != "" && wire.Repeatable(m.Name) {
			repeatable = append(repeatable, m.Name)
		}
	}
	var b strings.Builder
	b.WriteString("// Made from webtransport/wire/methods.go by make generate. Do not edit.\n\n")
	fmt.Fprintf(&b, "/** Critical methods, whose requests go as datagrams too: somebody waits for them at the keyboard. The server acts once. */\nexport const RACES = new Set('%s'.split(' '))\n\n", strings.Join(races, " "))
	fmt.Fprintf(&b, "/** Methods that may be done twice without harm, so that they may be sent again at any age. */\nexport const REPEATABLE = new Set(\n  '%s'.split(' '),\n)\n", strings.Join(repeatable, " "))
	if *update {
		if err := os.WriteFile(library, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(library); err != nil || string(got) != b.String() {
		t.Errorf("%s is not what the table of methods gives (%v): run make generate", library, err)
	}
}

// TestMethods holds what the table must be for whoever reads it.
func TestMethods(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range wire.Methods {
		if seen[m.Name] {
			t.Errorf("%s is there twice", m.Name)
		}
		seen[m.Name] = true
		if m.Races && m.Effect == wire.Reads {
			t.Errorf("%s races, and its answer is not kept: two copies of it may answer differently", m.Name)
		}
		if m.Lane != "" && !slices.Contains(wire.Lanes, m.Lane) {
			t.Errorf("%s is of no lane", m.Name)
		}
		for _, name := range m.Order {
			if !slices.Contains([]string{"id", "namespace", "key"}, name) {
				t.Errorf("%s keeps its order by %s, which OrderKey does not read", m.Name, name)
			}
		}
	}
}

func TestOrderKey(t *testing.T) {
	key := func(method, params string) string {
		return (&wire.Message{Method: method, Params: []byte(params)}).OrderKey()
	}
	store, input := wire.MethodMemoryStore, wire.MethodInput
	same := [][2]string{
		{key(store, `{"namespace":"n","key":"k","value":{"text":"1"}}`), key(wire.MethodMemoryDelete, `{"key":"k","namespace":"n"}`)},
		{key(input, `{"id":"a1","text":"x"}`), key(input, `{"id":"a1"}`)},
	}
	for i, s := range same {
		if s[0] == "" || s[0] != s[1] {
			t.Errorf("%d: %q and %q", i, s[0], s[1])
		}
	}
	all := []string{key(store, `{"namespace":"n","key":"k"}`), key(store, `{"namespace":"n k"}`), key(store, `{"key":"n k"}`), key(input, `{"id":"n"}`), key(input, `bad`)}
	slices.Sort(all)
	if n := len(slices.Compact(all)); n != 5 {
		t.Errorf("%d of 5 keys are of their own: %q", n, all)
	}
	if k := key(wire.MethodGet, `{"id":"a1"}`); k != "" {
		t.Errorf("what reads keeps its order: %q", k)
	}
}
