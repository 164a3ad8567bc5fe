package vt

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"skein.dev/skein/e2e/kit"
)

// wrote returns a screen on which something was written, byte by byte, and all that came of it.
func wrote(t testing.TB, cols, rows int, text string) (*Screen, Result) {
	t.Helper()
	s := New(cols, rows)
	var all Result
	for i := range len(text) {
		r := s.Write([]byte{text[i]})
		all.Show = append(all.Show, r.Show...)
		all.Reply = append(all.Reply, r.Reply...)
		all.Notes = append(all.Notes, r.Notes...)
	}
	once := New(cols, rows)
	if r := once.Write([]byte(text)); string(r.Show) != string(all.Show) || string(r.Reply) != string(all.Reply) || !slices.EqualFunc(r.Notes, all.Notes, func(a, b Note) bool { return a == b }) {
		t.Errorf("in one piece %q gives %q, %q, %v; byte by byte %q, %q, %v", text, r.Show, r.Reply, r.Notes, all.Show, all.Reply, all.Notes)
	}
	return s, all
}

func TestQueriesAreAnswered(t *testing.T) {
	for name, c := range map[string]struct{ ask, want string }{
		"DA1":                          {"\x1b[c", "\x1b[?62;22c"},
		"DA1 with a parameter":         {"\x1b[0c", "\x1b[?62;22c"},
		"DA2":                          {"\x1b[>c", "\x1b[>1;10;0c"},
		"DECID":                        {"\x1bZ", "\x1b[?62;22c"},
		"DSR":                          {"\x1b[5n", "\x1b[0n"},
		"CPR":                          {"\x1b[3;5H\x1b[6n", "\x1b[3;5R"},
		"CPR with the origin mode":     {"\x1b[2;4r\x1b[?6h\x1b[2;2H\x1b[6n", "\x1b[2;2R"},
		"DECXCPR":                      {"ab\x1b[?6n", "\x1b[?1;3R"},
		"size in cells":                {"\x1b[18t", "\x1b[8;5;20t"},
		"size in pixels":               {"\x1b[14t", "\x1b[4;80;160t"},
		"size of a cell":               {"\x1b[16t", "\x1b[6;16;8t"},
		"XTVERSION":                    {"\x1b[>0q", "\x1bP>|skein\x1b\\"},
		"DECRQM of one that is on":     {"\x1b[?7$p", "\x1b[?7;1$y"},
		"DECRQM off":                   {"\x1b[?2026$p", "\x1b[?2026;2$y"},
		"DECRQM after it was set":      {"\x1b[?2004h\x1b[?2004$p", "\x1b[?2004;1$y"},
		"DECRQM unknown":               {"\x1b[?2031$p", "\x1b[?2031;0$y"},
		"DECRQM of graphemes":          {"\x1b[?2027$p", "\x1b[?2027;3$y"},
		"RQM":                          {"\x1b[4h\x1b[4$p", "\x1b[4;1$y"},
		"keyboard":                     {"\x1b[?u", "\x1b[?0u"},
		"keyboard after a push":        {"\x1b[>5u\x1b[?u", "\x1b[?1u"},
		"keyboard after a pop":         {"\x1b[>1u\x1b[<u\x1b[?u", "\x1b[?0u"},
		"keyboard of the other screen": {"\x1b[>1u\x1b[?1049h\x1b[?u", "\x1b[?0u"},
		"foreground":                   {"\x1b]10;?\x1b\\", "\x1b]10;rgb:e6e6/e6e6/e6e6\x1b\\"},
		"background":                   {"\x1b]11;?\a", "\x1b]11;rgb:1212/1414/1818\a"},
		"palette":                      {"\x1b]4;1;?;196;?\a", "\x1b]4;1;rgb:cccc/0000/0000\a\x1b]4;196;rgb:ffff/0000/0000\a"},
		"dark":                         {"\x1b[?996n", "\x1b[?997;1n"},
		"program status":               {"\x1b]7501;?\x1b\\", "\x1b]7501;?\x1b\\"},
		"DECRQSS of SGR":               {"\x1b[1;31m\x1bP$qm\x1b\\", "\x1bP1$r0;1;31m\x1b\\"},
		"DECRQSS of margins":           {"\x1b[2;4r\x1bP$qr\x1b\\", "\x1bP1$r2;4r\x1b\\"},
		"DECRQSS of what is not known": {"\x1bP$qz\x1b\\", "\x1bP0$r\x1b\\"},
		"XTGETTCAP":                    {"\x1bP+q436f;6162\x1b\\", "\x1bP1+r436f=323536\x1b\\\x1bP0+r\x1b\\"},
		"modifyOtherKeys":              {"\x1b[?4m", "\x1b[>4;0m"},
		"what answers nothing":         {"\x1b_Gi=1,a=q;AAAA\x1b\\\x1b]52;c;?\a\x1b[21t\x05\x1b]50;?\a", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, r := wrote(t, 20, 5, c.ask)
			if string(r.Reply) != c.want {
				t.Errorf("the answer is %q, want %q", r.Reply, c.want)
			}
		})
	}
}

// TestViewersGetNothingThatAsks: their terminals would answer, too, or do what nobody asked for.
func TestViewersGetNothingThatAsks(t *testing.T) {
	for _, ask := range []string{"\x1b[c", "\x1b[>c", "\x1b[=c", "\x1bZ", "\x05", "\x1b[5n", "\x1b[6n", "\x1b[?6n", "\x1b[?996n", "\x1b[14t", "\x1b[18t", "\x1b[21t", "\x1b[22;0t", "\x1b[3;1;1t",
		"\x1b[>q", "\x1b[?7$p", "\x1b[4$p", "\x1b[?u", "\x1b]10;?\a", "\x1b]4;1;?\a", "\x1b]4;1;red\a", "\x1b]52;c;aGk=\a", "\x1b]52;c;?\x1b\\", "\x1b]0;title\a", "\x1b]2;title\x1b\\", "\x1b]7;file:///etc\a",
		"\x1b]1337;File=name=YQ==:AAAA\a", "\x1b]50;font\a", "\x1b]7501;state=idle\a", "\x1b]9;hello\a", "\x1bP$qm\x1b\\", "\x1bP+q436f\x1b\\", "\x1bPq#0\x1b\\", "\x1bPtmux;\x1b\x1b[c\x1b\\", "\x1b_Ga=q;AA\x1b\\",
		"\x1b^pm\x1b\\", "\x1bXsos\x1b\\", "\x1b[?2031h", "\x1b[?2048h", "\x1b[?69h", "\x1b[>4;2m", "\x1b[1;2;3;4$r", "\x1b[i", "\x1b[?5i", "\x1b[2;2'z", "\x7f", "\x1b]8;;file:///etc/passwd\a", "\x1b]8;;javascript:alert(1)\a"} {
		_, r := wrote(t, 20, 5, "a"+ask+"b")
		show := strings.NewReplacer("\x1b]8;;\x1b\\", "", "\x1b[c", "").Replace(string(r.Show))
		if strings.HasPrefix(ask, "\x1bPtmux") { // what it was to pass on is broken off by its escape, as in xterm
			show = strings.ReplaceAll(show, "\x1b\\", "")
		}
		if show != "ab" {
			t.Errorf("of %q viewers get %q", "a"+ask+"b", r.Show)
		}
	}
}

func TestWhatAProgramSaysOfItself(t *testing.T) {
	b64 := base64.StdEncoding.EncodeToString
	for name, c := range map[string]struct {
		say  string
		want []Note
	}{
		"a title":                          {"\x1b]0;vim – notes.txt\a", []Note{{Kind: Title, Text: "vim – notes.txt"}}},
		"a title with 0x9c in a character": {"\x1b]2;✳ Claude\x1b\\", []Note{{Kind: Title, Text: "✳ Claude"}}},
		"a padded title":                   {"\x1b]2;gemini          \x1b\\", []Note{{Kind: Title, Text: "gemini"}}},
		"a long title":                     {"\x1b]2;" + strings.Repeat("x", 500) + "\a", []Note{{Kind: Title, Text: strings.Repeat("x", maxTitle-1) + "…"}}},
		"a title with controls":            {"\x1b]2;a\u202eb\u0085c\nd\a", []Note{{Kind: Title, Text: "ab c d"}}},
		"a bell":                           {"\a", []Note{{Kind: Bell}}},
		"a notification":                   {"\x1b]9;done\a", []Note{{Kind: Notification, Text: "done"}}},
		"of urxvt":                         {"\x1b]777;notify;Build;it is done\a", []Note{{Kind: Notification, Text: "Build: it is done"}}},
		"of kitty":                         {"\x1b]99;i=1:d=0;Hello\x1b\\", []Note{{Kind: Notification, Text: "Hello"}}},
		"a query of kitty":                 {"\x1b]99;i=1:p=?;\x1b\\", nil},
		"progress":                         {"\x1b]9;4;1;42\a\x1b]9;4;3\a\x1b]9;4;2;80\a\x1b]9;4;0\a", []Note{{Kind: Progress, Percent: 42}, {Kind: Progress, Percent: -2}, {Kind: Progress, Percent: 80, Failed: true}, {Kind: Progress, Percent: -1}}},
		"a prompt":                         {"\x1b]133;A\a", []Note{{Kind: Prompt}}},
		"status":                           {"\x1b]7501;state=working:app=claude-code:progress=40\x1b\\", []Note{{Kind: Report, Status: Status{State: "working", App: "claude-code", Progress: 40}}}},
		"a question":                       {"\x1b]7501;state=blocked:kind=permission:app=x:msg=" + b64([]byte("approve Bash: ls")) + "\a", []Note{{Kind: Report, Status: Status{State: "blocked", Kind: "permission", App: "x", Message: "approve Bash: ls", Progress: -1}}}},
		"without padding":                  {"\x1b]7501;state=blocked:msg=aGk\a", []Note{{Kind: Report, Status: Status{State: "blocked", Message: "hi", Progress: -1}}}},
		"a part":                           {"\x1b]7501;state=done:id=a/b\a", []Note{{Kind: Report, Status: Status{State: "done", ID: "a/b", Progress: -1}}}},
		"of an unknown state":              {"\x1b]7501;state=dancing\a", nil},
		"without a state":                  {"\x1b]7501;app=x\a", nil},
		"bad base64":                       {"\x1b]7501;state=blocked:msg=a\a", nil},
		"a control character":              {"\x1b]7501;state=blocked:msg=" + b64([]byte("a\x1b[2J")) + "\a", nil},
		"too long":                         {"\x1b]7501;state=blocked:msg=" + b64([]byte(strings.Repeat("x", 2049))) + "\a", nil},
		"an id out of bounds":              {"\x1b]7501;state=idle:id=a//b\a", nil},
		"a pair that is none":              {"\x1b]7501;state=idle:zz:kind=auth\a", []Note{{Kind: Report, Status: Status{State: "idle", Progress: -1}}}},
		"an endless string":                {"\x1b]0;" + strings.Repeat("y", maxString+1) + "\a", nil},
		"a string broken off":              {"\x1b]0;abc\x18", nil},
		"a full reset":                     {"\x1bc", []Note{{Kind: Reset}}},
	} {
		t.Run(name, func(t *testing.T) {
			_, r := wrote(t, 20, 5, c.say)
			if len(r.Notes)+len(c.want) > 0 && !reflect.DeepEqual(r.Notes, c.want) {
				t.Errorf("it said %+v, want %+v", r.Notes, c.want)
			}
		})
	}
}

func TestALateViewerGetsWhatHasLeftTheScreen(t *testing.T) {
	s := New(20, 3)
	for i := range 5000 {
		s.Write(fmt.Appendf(nil, "line %d\r\n", i))
	}
	again := New(20, 3)
	again.Write(s.Paint())
	if !slices.Equal(again.Text(), s.Text()) || !slices.Equal(again.history.lines, s.history.lines) {
		t.Errorf("the screen is %q, want %q; history %d lines, want %d", again.Text(), s.Text(), len(again.history.lines), len(s.history.lines))
	}
	if n := len(s.history.lines); n != maxHistory {
		t.Errorf("%d lines are remembered", n)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	s := New(200, 50)
	for i := range kit.Less(20000, 5000) {
		s.Write(fmt.Appendf(nil, "\x1b[38;2;%d;%d;%dm%s\x1b]8;;https://example.org/%d\a e%c%c\x1b]8;;\a\x1b[>1u\r\n", i%256, i/256, i%7, strings.Repeat("ab", 90), i, 0x300+i%60, 0x300+i/60%60))
	}
	if s.history.bytes > maxHistoryBytes || len(s.pool.clusters) > maxClusters || len(s.pool.links) > maxLinks || len(s.modes.kitty[0].stack) > maxKitty {
		t.Errorf("%d bytes of history, %d clusters, %d links, %d keyboard modes", s.history.bytes, len(s.pool.clusters), len(s.pool.links), len(s.modes.kitty[0].stack))
	}
	if n := len(s.Paint()); n > 2<<20 {
		t.Errorf("painted with %d bytes", n)
	}
}

func TestResize(t *testing.T) {
	for name, c := range map[string]struct {
		write      string
		cols, rows int
		want       string
		x, y       int
	}{
		"the cursor stays behind the last column": {"0123456789", 20, 5, "0123456789||||", 10, 0},
		"narrower wraps":                 {"hello world\r\n$ ", 6, 5, "hello |world|$ ||", 2, 2},
		"wider joins":                    {strings.Repeat("x", 15) + "\r\n$ ", 20, 5, strings.Repeat("x", 15) + "|$ |||", 2, 1},
		"shorter keeps the end":          {"a\r\nb\r\nc\r\nd\r\ne", 10, 2, "d|e", 1, 1},
		"taller pads":                    {"a\r\nb", 10, 7, "a|b|||||", 1, 1},
		"the cursor moves with its text": {"hello world", 6, 5, "hello |world|||", 5, 1},
		"a wide character goes on":       {"漢字漢字", 3, 5, "漢|字|漢|字|", 2, 3},
	} {
		t.Run(name, func(t *testing.T) {
			s := New(10, 5)
			s.Write([]byte(c.write))
			s.Resize(c.cols, c.rows)
			if got := strings.Join(s.Text(), "|"); got != c.want || s.g.x != c.x || s.g.y != c.y {
				t.Errorf("the screen is %q with the cursor at %d, %d; want %q at %d, %d", got, s.g.x, s.g.y, c.want, c.x, c.y)
			}
		})
	}
	t.Run("what left comes back", func(t *testing.T) {
		s := New(10, 3)
		s.Write([]byte("a\r\nb\r\n\x1b[31mc\x1b[m\r\nd\r\ne"))
		s.Resize(10, 5)
		if got := strings.Join(s.Text(), "|"); got != "a|b|c|d|e" || s.primary.lines[2].cells[0].style.fg == 0 || s.g.y != 4 {
			t.Errorf("the screen is %q, the cursor in line %d", got, s.g.y)
		}
	})
	t.Run("the alternate screen", func(t *testing.T) {
		s := New(10, 3)
		s.Write([]byte("shell\x1b[?1049h\x1b[3;9Hab"))
		s.Resize(5, 2)
		s.Write([]byte("\x1b[?1049l"))
		if got := strings.Join(s.Text(), "|"); got != "shell|" {
			t.Errorf("after it, the screen is %q", got)
		}
	})
}

func TestLeaveRestoresAViewersTerminal(t *testing.T) {
	s := New(20, 5)
	s.Write([]byte("$ vim\r\n\x1b[?1049h\x1b[?1003h\x1b[?1006h\x1b[?2004h\x1b[?1004h\x1b[?1h\x1b=\x1b[?25l\x1b[?7l\x1b[>1u\x1b(0\x1b[4h\x1b[3 q\x1b[1;31mtext\x1b]8;;https://example.org\a\x1b[?2026h"))
	viewer := New(20, 5)
	viewer.Write(s.Paint())
	viewer.Write(s.Leave())
	m, want := viewer.modes, defaultModes
	if !reflect.DeepEqual(m, want) || viewer.g != &viewer.primary || viewer.pen != (style{}) || viewer.link != 0 || viewer.sets[0] != 'B' || viewer.shape != 0 {
		t.Errorf("modes %+v, pen %+v, link %d, sets %q, shape %d", m, viewer.pen, viewer.link, viewer.sets, viewer.shape)
	}
}

// FuzzWrite: whatever a program writes, a late viewer sees what the others see.
func FuzzWrite(f *testing.F) {
	f.Add([]byte("hello\r\n\x1b[31mworld\x1b[m\x1b[2;3H\x1b[?1049h漢字\x1b[K"), uint8(20), uint8(5), uint8(9))
	f.Add([]byte("\x1b]0;x\a\x1b[?6h\x1b[2;4r\x1b[9b\x1b[3g\x1bH\x1b(0qqq"), uint8(7), uint8(4), uint8(20))
	for _, r := range allRecordings(f) {
		for i, from := range r.places(3) {
			f.Add(r.raw[from:min(from+2000, len(r.raw))], uint8(r.Cols), uint8(r.Rows), uint8(80*i))
		}
	}
	f.Fuzz(func(t *testing.T, p []byte, cols, rows, at uint8) {
		s := New(int(cols%40), int(rows%20))
		split := min(int(at), len(p))
		live := New(s.Size())
		live.Write(s.Write(p[:split]).Show)
		late := New(s.Size())
		late.Write(s.Paint())
		r := s.Write(p[split:])
		show := r.Show
		if strings.ContainsAny(string(r.Reply), "\r\n") || len(r.Reply) > maxReply+100 {
			t.Errorf("the program is answered %q", r.Reply)
		}
		live.Write(show)
		late.Write(show)
		if !slices.Equal(live.Text(), s.Text()) {
			t.Errorf("a viewer sees %q, want %q", live.Text(), s.Text())
		}
		if !slices.Equal(late.Text(), s.Text()) {
			t.Errorf("a late viewer sees %q, want %q", late.Text(), s.Text())
		}
		s.Resize(int(at%30)+1, int(cols%10)+1)
		s.Paint()
		s.Leave()
	})
}

func BenchmarkWrite(b *testing.B) {
	line := []byte("\x1b[32mok\x1b[m   skein.dev/skein/server/vt  0.123s  a line of plain text as programs print it\r\n")
	s := New(120, 40)
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		s.Write(line)
	}
}
