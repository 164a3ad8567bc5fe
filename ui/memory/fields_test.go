package memory

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestFields(t *testing.T) {
	for value, want := range map[string]string{
		`{"state":"done","count":1234567,"year":2026,"rate":0.25,"ok":true,"bad":false,"who":null}`: "state=done count=1,234,567 year=2026 rate=0.25 ok=yes bad=no +1",
		`{"list":[1,2],"one":[5],"of":{"a":1,"b":2},"none":[]}`:                                     `list=1, 2 one=5 of={"a":1,"b":2} none=none +0`,
		` {"at":"2026-05-04T03:02:01Z", "word":"2026-05-04"} `:                                      "at=2026-05-04T03:02:01Z (a time) word=2026-05-04 +0",
		`{"a":-20000,"b":1e30,"c":99999999999999999999}`:                                            "a=-20,000 b=1e30 c=99999999999999999999 +0",
		`{"a\u0000\nb":"\u001b[31mred\u001b[0m"}`:                                                   "a b=red +0",
		`{"a":1,"a":2}`: "a=1 a=2 +0",
		`{}`:            "no", `[1]`: "no", `"x"`: "no", `{"a":`: "no", ``: "no", `{"a":1} x`: "no",
	} {
		got := "no"
		if fields, more, ok := fieldsOf([]byte(value)); ok {
			got = ""
			for _, f := range fields {
				got += f.Name + "=" + f.Text
				if !f.At.IsZero() {
					got += " (a time)"
				}
				got += " "
			}
			got += fmt.Sprint("+", more)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", value, got, want)
		}
	}
	long := `{"` + strings.Repeat("é", 500) + `":"` + strings.Repeat("日", 500) + `"}`
	if fields, _, ok := fieldsOf([]byte(long)); !ok || utf8.RuneCountInString(fields[0].Name) != maxFieldText || utf8.RuneCountInString(fields[0].Text) != maxFieldText {
		t.Errorf("of a long one: %v, %v", fields, ok)
	}
	if _, _, ok := fieldsOf([]byte(`{"a":"` + strings.Repeat("x", maxFieldRead) + `"}`)); ok {
		t.Error("a value of any length is read")
	}
}

func FuzzFields(f *testing.F) {
	f.Add([]byte(`{"state":"done","count":1234567,"at":"2026-05-04T03:02:01Z","of":{"a":[]}}`))
	f.Add([]byte(`{"a":"\ud800","b":"` + strings.Repeat("日", 100) + `"}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		fields, more, ok := fieldsOf(value)
		if ok != (len(fields) > 0) || len(fields) > maxFields || more < 0 {
			t.Fatalf("%v, %d more, %v", fields, more, ok)
		}
		for _, x := range fields {
			if !utf8.ValidString(x.Name) || !utf8.ValidString(x.Text) || utf8.RuneCountInString(x.Name) > maxFieldText || x.At.After(time.Now().AddDate(300, 0, 0)) {
				t.Fatalf("%+v", x)
			}
		}
	})
}
