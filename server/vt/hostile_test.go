package vt

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// TestWhatAProgramWroteIsNotTypedForIt: what a program shows may come from anybody, and what a terminal answers is typed. So no answer
// has anything of a text that was written, in whatever sequence; and no viewer gets it but as text.
func TestWhatAProgramWroteIsNotTypedForIt(t *testing.T) {
	const mark = "evil"
	marks := []string{mark, hex.EncodeToString([]byte(mark)), strings.ToUpper(hex.EncodeToString([]byte(mark))), mark + "\r", "\r" + mark + "\n"}
	var within []string // sequences around a text
	for _, kind := range []string{"]", "P", "X", "^", "_", "k"} {
		for _, end := range []string{"\a", "\x1b\\", "\x18", ""} {
			for _, begin := range []string{"", "$q", "+q", "+p", ">|", "q", "tmux;", "G", "$t", "1$r", "!u"} {
				within = append(within, "\x1b"+kind+begin+"%s"+end)
			}
		}
	}
	for number := range 140 {
		within = append(within, fmt.Sprintf("\x1b]%d;%%s\a", number), fmt.Sprintf("\x1b]%d;?;%%s\x1b\\", number), fmt.Sprintf("\x1b]%d;%%s;?\a", number))
	}
	for _, number := range []int{633, 777, 1337, 5522, 7501} {
		within = append(within, fmt.Sprintf("\x1b]%d;%%s\a", number), fmt.Sprintf("\x1b]%d;?:%%s\a", number))
	}
	asks := "\x05\x1b[c\x1b[>c\x1b[=c\x1bZ\x1b[5n\x1b[6n\x1b[20t\x1b[21t\x1b[22;0t\x1b[23;0t\x1b[>q\x1bP$qm\x1b\\\x1b]0;?\a\x1b]1;?\a\x1b]2;?\a\x1b]l\x1b\\\x1b]52;c;?\a\x1b]50;?\a\x1b]7;?\a\x1b[0;1*y"
	for _, sequence := range within {
		for _, m := range marks {
			output := fmt.Sprintf(sequence, m) + "\x18" + asks
			r := New(20, 5).Write([]byte(output))
			for _, no := range []string{mark, marks[1], marks[2], "\r", "\n"} {
				if strings.Contains(string(r.Reply), no) {
					t.Errorf("%q is answered with %q", output, r.Reply)
				}
			}
			if strings.Contains(string(r.Show), "\x1b]0") || strings.Contains(string(r.Show), "\x1b]52") || strings.Contains(string(r.Show), "\x1bP") || strings.Contains(string(r.Show), "\x1b_") {
				t.Errorf("of %q viewers get %q", output, r.Show)
			}
		}
	}
}

// TestNumbersAreAnsweredAsNumbers: not as they were written.
func TestNumbersAreAnsweredAsNumbers(t *testing.T) {
	_, r := wrote(t, 20, 5, "\x1b]4;+"+strings.Repeat("0", 1000)+"1;?\a\x1b[?0002004$p\x1b["+strings.Repeat("0", 100)+"6n")
	if want := "\x1b]4;1;rgb:cccc/0000/0000\a\x1b[?2004;2$y\x1b[1;1R"; string(r.Reply) != want {
		t.Errorf("the answer is %q, want %q", r.Reply, want)
	}
}

// TestAnswersAreBounded: a program may ask with everything that it writes.
func TestAnswersAreBounded(t *testing.T) {
	for _, ask := range []string{"\x1b[c", "\x1b]4;1;?\a", "\x1b]4" + strings.Repeat(";1;?", 2000) + "\a", "\x1bP+q" + strings.Repeat("436f;", 1600) + "\x1b\\", "\x1b[18t"} {
		s := New(80, 24)
		if n := len(s.Write([]byte(strings.Repeat(ask, 200))).Reply); n > maxReply+100 {
			t.Errorf("to %.20q… %d bytes are answered", ask, n)
		}
	}
}
