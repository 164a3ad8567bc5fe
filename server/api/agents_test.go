package api

import (
	"strings"
	"testing"
)

func TestNamespaces(t *testing.T) {
	for name, c := range map[string]struct {
		list    []string
		in, out string // namespaces, separated by spaces
	}{
		"none":             {nil, "", "a team"},
		"a name":           {[]string{"team"}, "team", "tea team2 team.x"},
		"a beginning":      {[]string{"team.*"}, "team.a team. team.a.b", "team teams.a a.team.b"},
		"of several":       {[]string{"a", "b*"}, "a b bc", "c ab"},
		"all":              {[]string{"*"}, "a team.x", ""},
		"a * in the midst": {[]string{"a*b"}, "a*b", "ab axb"},
	} {
		t.Run(name, func(t *testing.T) {
			allowed := namespaces(c.list)
			for _, ns := range strings.Fields(c.in) {
				if !allowed(ns) {
					t.Errorf("%s is not allowed", ns)
				}
			}
			for _, ns := range strings.Fields(c.out) {
				if allowed(ns) {
					t.Errorf("%s is allowed", ns)
				}
			}
		})
	}
}
