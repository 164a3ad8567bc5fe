package scripted

import (
	"slices"
	"strings"
	"testing"

	"skein.dev/skein/webtransport/wire"
)

func TestParseScriptErrors(t *testing.T) {
	deep := strings.Repeat("repeat 2\n", MaxNesting+1) + "say x\n" + strings.Repeat("end\n", MaxNesting+1)
	tests := map[string]struct{ script, want string }{
		"unknown":            {"say a\n\n  shout b", `script line 3: "shout" is not a statement; allowed are say, warn, wait, ask,`},
		"case":               {"Say a", `line 1: "Say" is not a statement`},
		"wait nothing":       {"wait", `line 1: "wait" needs a time such as 300ms or 1m30s, or a range such as 200ms..900ms`},
		"wait no unit":       {"wait 5", `not "5"`},
		"wait below 0":       {"wait -1s", `"wait" needs a time`},
		"wait 0":             {"wait 0s", `"wait" needs a time`},
		"wait too long":      {"wait 25h", `to 24h0m0s`},
		"range backwards":    {"wait 2s..1s", `the shorter time first, not "2s..1s"`},
		"range half":         {"idle 2s..", `"idle" needs a time`},
		"repeat nothing":     {"repeat\nsay x\nend", `line 1: "repeat" needs "forever" or a whole number from 1 to 1000000000, not ""`},
		"repeat 0":           {"repeat 0\nsay x\nend", `not "0"`},
		"repeat word":        {"repeat always\nsay x\nend", `not "always"`},
		"no end":             {"say a\nrepeat 2\nrepeat 3\nsay x\nend", `line 2: "repeat" has no "end"`},
		"no repeat":          {"say a\nend", `line 2: "end" has no "repeat"`},
		"empty repeat":       {"repeat forever\n# nothing\nend", `line 3: there is nothing between "repeat" in line 1 and "end"`},
		"end of what":        {"repeat 2\nsay x\nend repeat", `line 3: "end" takes nothing after it, not "repeat"`},
		"too deep":           {deep, `line 9: repeats are nested deeper than 8`},
		"ask nothing":        {"ask", `line 1: "ask" needs a text after it`},
		"crash nothing":      {"crash   ", `"crash" needs a text`},
		"flood nothing":      {"flood", `"flood" needs a whole number from 1`},
		"flood text":         {"flood hello world", `not "hello"`},
		"binary":             {"binary 1e3", `"binary" needs a whole number from 1 to 1073741824, not "1e3"`},
		"exit":               {"exit 256", `"exit" needs a whole number from 0 to 255, not "256"`},
		"exit nothing":       {"exit", `not ""`},
		"hang on":            {"hang on", `"hang" takes nothing after it, not "on"`},
		"variable":           {"say ${name}", `line 1: "${name" is not a variable; allowed are ${reply}, ${i}, ${input}, ${task}`},
		"variable unclosed":  {"say ${reply", `is not a variable`},
		"index of nothing":   {"say ${i}", `${i} counts a repeat, and there is none around this line`},
		"too many lines":     {strings.Repeat("read\n", MaxStatements+1), `line 4097: there are more than 4096 statements`},
		"too long":           {strings.Repeat("#", MaxScript+1), `has 65537 bytes; at most 65536 are allowed`},
		"no UTF-8":           {"say \xff", `is not UTF-8`},
		"a long word":        {strings.Repeat("é", 1000), `"` + strings.Repeat("é", 40) + `…" is not a statement`},
		"control characters": {"\x1b[31mred", `"\x1b[31mred" is not a statement`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := ParseScript(test.script)
			if err == nil {
				t.Fatal("it was accepted")
			}
			if c := code(t, err); c != wire.CodeInvalidParams || err.(*wire.Error).Data.Field != "script" {
				t.Errorf("code %v, data %+v", c, err.(*wire.Error).Data)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("%q does not say %q", err, test.want)
			}
		})
	}
}

func TestParseScriptKnowsEveryStatement(t *testing.T) {
	if len(words) != len(Statements) {
		t.Fatalf("%d words, %d statements", len(words), len(Statements))
	}
	_, err := ParseScript("no")
	if e := err.(*wire.Error); !slices.Equal(e.Data.Supported, Statements) {
		t.Errorf("supported: %q", e.Data.Supported)
	}
}

func FuzzParseScript(f *testing.F) {
	for _, s := range []string{"", Demo, "say ${reply} $${x}\nrepeat 2\nflood 3 ${i}\nend", "wait 1s..2s\nidle 5ms",
		"repeat forever\nread\nend", "ask ?\necho\nhang", "exit 3", "crash x", "binary 9", "end", "repeat 3", "say ${", "\r\n\tsay\ta\r\n",
		"repeat 1\nrepeat 1\nsay\nend\nend\n", "warn é\u0085x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseScript(text)
		if err != nil {
			if e := err.(*wire.Error); e.Code != wire.CodeInvalidParams || e.Message == "" || len(e.Message) > 1000 {
				t.Fatalf("%+v", e)
			}
			return
		}
		open := 0
		for i, st := range s.steps {
			switch st.word {
			case wordRepeat:
				open++
				if st.jump <= i+1 || st.jump > len(s.steps) || s.steps[st.jump-1].word != wordEnd || s.steps[st.jump-1].jump != i+1 {
					t.Fatalf("step %d jumps to %d", i, st.jump)
				}
			case wordEnd:
				open--
			case wordWait, wordIdle:
				if st.lo <= 0 || st.hi < st.lo || st.hi > MaxWait {
					t.Fatalf("step %d waits %v..%v", i, st.lo, st.hi)
				}
			}
			if open < 0 || open > MaxNesting {
				t.Fatalf("step %d is %d repeats deep", i, open)
			}
		}
		if open != 0 {
			t.Fatal("a repeat stays open")
		}
	})
}

func BenchmarkParseDemo(b *testing.B) {
	for b.Loop() {
		if _, err := ParseScript(Demo); err != nil {
			b.Fatal(err)
		}
	}
}
